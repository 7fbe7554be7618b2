// How much memory it takes to compute values of a model by the reference interpreter, before any of it is allocated.
#pragma once

#include "ir/graph/graph.h"

#include <span>
#include <vector>

namespace cnnc {

/// The nodes that compute a constant of weights, in order; weights are not among them.
std::vector<const Node *> expression_of(const Graph &graph, ValueId constant);

/// Bytes of a value as the reference keeps it: logical, whatever its layout, and one image of a
/// symbolic batch.
uint64_t reference_size(const Graph &graph, ValueId id);

/// The value with which what is in memory is too much, and how many bytes that is.
struct Beyond {
  ValueId value;
  uint64_t bytes;
};

/// Follows the values that are in memory while nodes are run, as run_nodes() keeps them: each until
/// its last use, those `wanted` to the end, and constants that the nodes do not compute while they
/// are read. Inputs and weights are not counted. Empty when that is never more than `most` bytes.
std::optional<Beyond> first_beyond(const Graph &graph, const std::vector<const Node *> &nodes,
                                   std::span<const ValueId> wanted, uint64_t most);

/// Reports every constant that is stored or read by kernels and whose values, while it is computed,
/// are more than `most` bytes at a time, at the value with which they are. Types must be known.
bool check_constant_memory(const Graph &graph, uint64_t most, Diagnostics &diagnostics);

} // namespace cnnc
