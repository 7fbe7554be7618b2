// What has to change with the size of a tensor: constants and attributes of the ops that read it.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Whether a value can have another size without further ado: an input, `splat` or `random`.
bool has_free_size(const Graph &graph, ValueId id);

/// Makes filters, biases, shapes and sizes in attributes fit what their ops read, after values with
/// free sizes have changed; `before` has the types before that. Only the ops that networks are made
/// of are known: for others the graph stays wrong, and is then not a candidate.
void follow_sizes(Graph &graph, const Graph &before);

} // namespace cnnc
