// Where values lie in the workspace: which memory is in use when, and whether a plan is right.
#pragma once

#include "compiler/layout/views.h"

namespace cnnc {

/// Every buffer begins at a multiple of this many bytes, and its size is rounded up to one: a cache
/// line and a vector register.
inline constexpr int64_t buffer_alignment = 64;

inline constexpr uint32_t no_step = ~uint32_t(0);

/// Memory of one root: from the first step that writes any of it to the last step that reads any.
struct Lifetime {
  bool planned = false; // lies in the workspace
  uint32_t first = no_step;
  uint32_t last = 0;
};

/// The order of execution: a step is a kernel, a call or a lone op that does work.
struct Execution {
  std::vector<std::vector<NodeId>> steps;
  std::vector<Place> places;       // of each value
  std::vector<bool> crosses;       // for each value: leaves the step that computes it
  std::vector<Lifetime> lifetimes; // of each value that is a root
};

Execution order_of_execution(const Graph &graph);

/// Bytes that a buffer takes in the workspace; empty on overflow.
std::optional<int64_t> rounded_size(const TensorType &type);

/// Whether a step may write `output` over the memory of `root`: all its ops are element-wise on
/// tensors of one type, it writes nothing else, is the last reader, and reads the memory nowhere
/// but at the element it writes. Parts of larger values are left alone. A call, whose body is not
/// seen here, may do so if lowering has kept a plan that was made before.
bool may_work_in_place(const Graph &graph, const Execution &execution, uint32_t step, ValueId root,
                       ValueId output, bool calls);

/// Checks the plan: every value that needs a place in the workspace has one, aligned, views and
/// parts lie where they must, and buffers that live at the same time do not overlap (an
/// element-wise kernel may write over an operand that it is the last to read). Reports and returns
/// false otherwise.
bool verify_memory_plan(const Graph &graph, Diagnostics &diagnostics);

/// Bytes of workspace that the plan needs, a multiple of buffer_alignment; 0 without a plan.
int64_t workspace_size(const Graph &graph);

} // namespace cnnc
