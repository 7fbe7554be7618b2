// A float network whose layers are quantised by inputs, so that it is compiled once for all of them.
#pragma once

#include "compiler/quantize/insert_quantization.h"

namespace cnnc {

/// For each layer the network has an input more, bool [], behind its own: where it is true, the layer
/// reads its input and its filter as integers represent them. Behind the outputs of the network
/// come the results of the layers, before what is fused behind them. Node ids change.
void add_layer_switches(Graph &graph, const std::vector<NodeId> &layers,
                        const std::vector<QuantizedValue> &values, WeightStore &store);

} // namespace cnnc
