// What describe_kernels() and explain() say alike of kernels.
#pragma once

#include "compiler/api/session.h"

namespace cnnc {

/// The kernels of a program in the order of its steps. `before_lowering`: the graph that lower_loops
/// was given, `lowered`: what it made of it.
std::vector<KernelInfo> describe_steps(const Graph &before_lowering, const Graph &lowered,
                                       const ProgramLayout &layout);

/// The kernels of that graph by the name of their first result, which lowering keeps.
std::map<std::string, KernelId> kernels_by_result(const Graph &before_lowering);

/// The tile of a schedule: "oc:32, ow:12".
std::string format_tile(const Schedule &schedule);

} // namespace cnnc
