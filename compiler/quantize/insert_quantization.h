// A float network as one of integers, spelt with `quantize` and `dequantize`.
#pragma once

#include "compiler/quantize/points.h"
#include "compiler/quantize/range.h"
#include "compiler/quantize/weight_store.h"

namespace cnnc {

/// A value, and how it is represented.
struct QuantizedValue {
  ValueId value = no_id;
  ActivationScale scale;
};

/// Adds `%x.q = quantize %x`, `%x.dq = dequantize %x.q`; returns the latter. Types are of the graph.
ValueId add_round_trip(Graph &graph, const QuantizedValue &value);

/// The filter of a layer from integers and scales, which join the store as NAME.q and NAME.scales.
ValueId add_quantized_filter(Graph &graph, ValueId filter, WeightStore &store);

/// Everybody reads the values as integers, but for outputs of the model, and the layers get
/// quantised filters. Node ids change.
void insert_quantization(Graph &graph, const std::vector<NodeId> &layers,
                         const std::vector<QuantizedValue> &values, WeightStore &store);

} // namespace cnnc
