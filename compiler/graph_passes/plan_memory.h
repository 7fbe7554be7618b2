// Where values lie in the workspace: the questions that others ask about the plan.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Every buffer begins at a multiple of this many bytes, and its size is rounded up to one: a cache
/// line and a vector register.
inline constexpr int64_t buffer_alignment = 64;

/// Checks the plan: every value that needs a place in the workspace has one, aligned, views and
/// parts lie where they must, and buffers that live at the same time do not overlap (an
/// element-wise kernel may write over an operand that it is the last to read). Reports and returns
/// false otherwise.
bool verify_memory_plan(const Graph &graph, Diagnostics &diagnostics);

/// Bytes of workspace that the plan needs, a multiple of buffer_alignment; 0 without a plan.
int64_t workspace_size(const Graph &graph);

} // namespace cnnc
