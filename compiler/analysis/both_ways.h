// A model with gradients: what of it is the way forward, and what the way back needs of that.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// For each node whether the first output of the model, the loss, depends on it. All others are the
/// way back: gradients and the update of weights.
std::vector<bool> way_forward(const Graph &graph);

/// Bytes of values on the way forward that the way back reads: what is kept in between. A view and
/// what it is a view of count once, constants and inputs of the model not at all. Saturates at 2^62.
int64_t bytes_kept(const Graph &graph, const std::vector<bool> &forward);

/// Bytes of the inputs in whose memory outputs lie: weights and what the optimizer keeps of them.
/// Saturates at 2^62.
int64_t bytes_of_state(const Graph &graph);

} // namespace cnnc
