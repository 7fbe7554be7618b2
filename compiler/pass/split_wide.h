// Concats and splits of more values than a kernel has buffers for.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Writes every concat and split of more than 128 values as a tree of such ops, each of 128 at
/// most: a concat of concats, a split of the parts of a split. Ops in kernels stay as they are.
/// Leaves the nodes to be sorted where it returns true.
bool split_wide_ops(Graph &graph);

} // namespace cnnc
