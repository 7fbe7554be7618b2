// Whether a schedule says what can be done.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Reports every loop that the schedule of a kernel names but lowering does not make
/// (lowering/loops.h), or that cannot be what the schedule wants of it, at the name or else at the
/// kernel. Types must be known.
bool check_schedule(const Graph &graph, const KernelGroup &kernel,
                    const std::vector<NodeId> &members, Diagnostics &diagnostics);

} // namespace cnnc
