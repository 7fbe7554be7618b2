// Which values of a float network become integers.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// A value that is read as integers. Those of one group have one scale, so that what only moves
/// numbers between them need not round again.
struct QuantizationPoint {
  ValueId value = no_id;
  size_t group = 0;
};

/// The convolutions and dense layers that can compute in integers, since their filters are constants,
/// in the order of the text.
std::vector<NodeId> quantizable_layers(const Graph &graph);

/// The values that choose_points() may give, whatever the layers: what is read by ops that compute with
/// integers.
std::vector<ValueId> possible_points(const Graph &graph);

/// The values that are integers when these layers are, in the order of the text:
///  - what the layers read;
///  - what layers give (behind their activation) that sums, products, pools, joins or moves read,
///    and the results of these that such ops read, where a layer in integers comes behind them: a
///    rounded sum that is normed in floats, or an output, gains nothing. Of the operands of a sum
///    or product one stays float, which a layer computes for it alone: they become one kernel.
/// A result of an op that only moves numbers, and the parts of a concat, are in one group with it.
std::vector<QuantizationPoint> choose_points(const Graph &graph, const std::vector<NodeId> &layers);

} // namespace cnnc
