// Puts what the user has set into a graph.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// Gives convolutions the attributes that are set for them, before they are in kernels. Reports
/// those that there is no convolution for, or that it cannot have, and returns whether there are
/// none. Types must be known.
bool set_attributes(Graph &graph, const std::vector<Override> &overrides, Diagnostics &diagnostics);

/// The entries that are set for the schedules of a graph's kernels.
class ScheduleOverrides {
public:
  /// Reports entries for kernels that there are not. The overrides have to outlive this.
  ScheduleOverrides(const Graph &graph, const std::vector<Override> &overrides,
                    Diagnostics &diagnostics);
  bool all_found() const { return all_found_; }

  /// Puts the entries that are set for a kernel into its schedule, and takes out what a policy has
  /// chosen that cannot be beside them.
  void apply(KernelGroup &kernel, KernelId id) const;
  /// For those who want to know why.
  void tell(const Graph &graph, const PassContext &context) const;

private:
  std::vector<std::pair<KernelId, const Override *>> entries_;
  bool all_found_ = true;
};

} // namespace cnnc
