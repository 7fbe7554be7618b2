// Schedules of convolutions: register tiles, unrolling, tasks. A part of choose_schedule.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// The schedule of a kernel with these members, of which the first is a conv2d: register tiles of
/// output channels times pixels, with Winograd's method what schedule_winograd says, and the order
/// in which tiles come, by what stays in the cache.
Schedule schedule_convolution(const Graph &graph, const std::vector<NodeId> &members,
                              const Machine &machine);

} // namespace cnnc
