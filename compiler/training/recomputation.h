// What to compute again where it is read late, instead of keeping it in the workspace until then: the
// plan of rematerialize.
#pragma once

#include "compiler/layout/memory_plan.h"

namespace cnnc {

/// A step of an Execution, at its place or done once more. Of the values in the workspace that it
/// reads, some are those of a step that was done once more.
struct TimetableStep {
  uint32_t step = no_step;     // in Execution::steps
  bool again = false;          // a copy
  std::vector<uint32_t> reads; // memories, each once
  std::vector<uint32_t> writes;
};

/// The memory of a root in the workspace (Place::root), or that of a copy.
struct TimetableMemory {
  ValueId root = no_id;
  int64_t size = 0;
  bool copy = false;
};

/// Steps in the order in which they run, and what they use of the workspace.
struct Timetable {
  std::vector<TimetableMemory> memories;
  std::vector<TimetableStep> steps;
};

/// The steps of an execution, with as many copies as lower the most memory that is in use at once.
/// Copied are steps without multiply-accumulates: whatever is computed from what is there by moving it
/// or element by element. A copy stands right before the first step that reads it.
Timetable recompute(const Graph &graph, const Execution &execution);

} // namespace cnnc
