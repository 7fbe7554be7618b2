// How much memory it takes to compute the constants of a model, before any of it is allocated.
#pragma once

#include "ir/graph/graph.h"

#include <vector>

namespace cnnc {

/// The nodes that compute a constant of weights, in order; weights are not among them.
std::vector<const Node *> expression_of(const Graph &graph, ValueId constant);

/// Reports every constant that is stored or read by kernels and whose values, while it is computed,
/// are more than `most` bytes at a time, at the value with which they are. Types must be known.
bool check_constant_memory(const Graph &graph, uint64_t most, Diagnostics &diagnostics);

} // namespace cnnc
