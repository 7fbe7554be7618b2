// A kernel as a model of its own.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// The ops of a kernel, and the constants that they read, as a model without kernels and layouts: all
/// else that they read is an input, and what is read of them elsewhere an output. Names, types and
/// places in the text stay.
Graph cut_kernel(const Graph &graph, KernelId kernel);

} // namespace cnnc
