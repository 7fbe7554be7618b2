// Schedules of reductions (softmax, norms, sums, means): lanes. A part of choose_schedule.
#pragma once

#include "compiler/codegen/target/machine.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// The dimensions of its operand that an op combines, from 0 or negative from the end; empty for
/// ops that are no reductions.
std::vector<int64_t> reduced_axes(const Graph &graph, const Node &node);

/// The schedule of a kernel of this one op, which is a reduction. Lanes are what lies side by side
/// in memory: the elements of a line that is reduced, several vectors of them at a time so that
/// additions do not wait for each other, or else several lines. Empty where that would not fill
/// vectors.
Schedule schedule_reduction(const Graph &graph, const Node &node, const Machine &machine);

} // namespace cnnc
