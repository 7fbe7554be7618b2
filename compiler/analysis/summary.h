// What a model costs, layer by layer, as a table for people.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// One row per result of an op that is computed from the model's inputs: name, op, type, learned
/// parameters, multiplications (cost.h), receptive field in the first input (receptive_field.h),
/// bytes; then totals. Parameters that several layers share count once in the totals. Values need
/// types, so run infer_shapes before. For a model with gradients, whose first output is the loss,
/// rows say on which way they are, and the totals what both ways take (both_ways.h).
std::string summary(const Graph &graph, bool with_gradients = false);

} // namespace cnnc
