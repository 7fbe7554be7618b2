#include "compiler/schedule/check_schedule.h"

#include "compiler/lowering/loops.h"

#include <fmt/format.h>

namespace cnnc {

bool check_schedule(const Graph &graph, const KernelGroup &kernel,
                    const std::vector<NodeId> &members, Diagnostics &diagnostics) {
  const Loops loops = loops_of(graph, members);
  if (!check_names(kernel.schedule, names_of(loops), kernel.name, kernel.range, diagnostics) ||
      !check_sizes(kernel.schedule, kernel.range, diagnostics))
    return false;
  bool ok = true;
  auto error = [&](const SourceRange &range, std::string message) {
    diagnostics.error(range.known() ? range : kernel.range, std::move(message));
    ok = false;
  };
  for (const LoopFactor &stage : kernel.schedule.stage)
    if (find_loop(loops, stage.loop)->role != Role::stage)
      error(stage.range, fmt::format("{} is no stage of @{}: only tb and ob of a convolution with "
                                     "Winograd's method are",
                                     stage.loop, kernel.name));
  for (const LoopName &name : kernel.schedule.parallel) {
    const Role role = find_loop(loops, name.loop)->role;
    if (role == Role::reduction || role == Role::window)
      error(name.range, fmt::format("{} cannot be parallel in @{}: its iterations are summed up or "
                                    "combined into one result",
                                    name.loop, kernel.name));
  }
  return ok;
}

} // namespace cnnc
