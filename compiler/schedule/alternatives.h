// Other schedules than the one that the policy has chosen for a kernel: what --compare-schedules
// measures.
#pragma once

#include "compiler/analysis/kernel_time.h"
#include "ir/graph/graph.h"

namespace cnnc {

struct ScheduleAlternative {
  std::string change; // "tile", "order", "block", "unroll", "partial", "prefetch", "stage"
  Schedule schedule;
};

/// Schedules that differ from that of a kernel in one respect each: register tiles that fit the
/// registers, orders of the loops that tasks consist of, blocks of rows, iterations of the sum that
/// are written out, with and without partial sums and prefetches, and what Winograd's method keeps
/// in memory. Not all of them may be possible: check_schedule() and the passes tell. Empty for
/// kernels whose loops have nothing to choose. Types must be known, and the kernel have a schedule.
std::vector<ScheduleAlternative> schedule_alternatives(const Graph &graph,
                                                       const KernelGroup &kernel,
                                                       const std::vector<NodeId> &members,
                                                       const Machine &machine);

/// Vector loads that a register tile needs for each multiply-accumulate of vectors: one of weights
/// for all its pixels, one of inputs for all its channels. Empty for no tile.
std::optional<double> loads_of_tile(const TileSize &tile);

} // namespace cnnc
