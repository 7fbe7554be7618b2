// Scheduling: decides how the loops of every kernel are tiled, vectorised, unrolled and shared
// between threads. This is the policy that tile_loops and its neighbours obey.
//
//   kernel @c(%x.blocked, %w) -> (%c.blocked) {
//     %c.blocked = conv2d %x.blocked, %w pad=[1, 1, 1, 1] : f32[1, 64, 56, 56] nchw16c
//   }
// becomes
//   kernel @c(%x.blocked, %w) -> (%c.blocked)
//       schedule(vector=oc:16, tile=[oc:64, ow:6], unroll=ic:4, parallel=[n, oc, oh], partial=ic:32) {
//     %c.blocked = conv2d %x.blocked, %w pad=[1, 1, 1, 1] : f32[1, 64, 56, 56] nchw16c
//   }
//
// A convolution computes a register tile of output channels times pixels. It is as large as the
// registers allow, since every vector of weights is then used for all pixels and every pixel for
// all vectors; one register too many spills and costs half the speed. Kernels that have a schedule
// keep it, and single entries that the user sets (pass/override.h) stand beside what is chosen.
#include "compiler/analysis/cost.h"
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/lowering/loops.h"
#include "compiler/pass/apply_overrides.h"
#include "compiler/pass/rewrite.h"
#include "compiler/schedule/check_schedule.h"
#include "compiler/schedule/convolution.h"
#include "compiler/schedule/elementwise.h"
#include "compiler/schedule/filter_gradient.h"
#include "compiler/schedule/matmul.h"
#include "compiler/schedule/moves.h"
#include "compiler/schedule/parallel_threshold.h"
#include "compiler/schedule/pool.h"
#include "compiler/schedule/reduction.h"
#include "compiler/schedule/spelt_loops.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

class ScheduleChooser {
public:
  ScheduleChooser(const Graph &graph, const PassContext &context)
      : graph_(graph), lanes_(context.machine.vector_lanes), machine_(context.machine),
        context_(context) {}

  Schedule choose(const std::string &kernel, const std::vector<NodeId> &members) {
    const Recorder recorder = context_.recorder("choose_schedule", kernel);
    Schedule schedule;
    const Node &anchor = graph_.nodes[members.front()];
    const TensorType &result = graph_.type(graph_.nodes[members.back()].results[0]);
    match(
        anchor.op,
        [&](const Conv2d &) {
          schedule = schedule_convolution(graph_, members, machine_, recorder);
        },
        [&](const Local2d &) {
          schedule = schedule_local(graph_.type(anchor.operands[0]),
                                    graph_.type(anchor.operands[1]).shape, lanes_, recorder);
        },
        [&](const Dense &) {
          schedule = schedule_dense(graph_.type(anchor.operands[0]), result,
                                    graph_.type(anchor.operands[1]), machine_, recorder);
        },
        [&](const Matmul &) {
          schedule = schedule_matmul(graph_.type(anchor.operands[0]),
                                     graph_.type(anchor.results[0]), machine_, recorder);
        },
        [&](const MaxPool2d &op) { schedule = pool(op, members, recorder); },
        [&](const AvgPool2d &op) { schedule = pool(op, members, recorder); },
        [&](const GlobalAvgPool2d &) { schedule = schedule_global_pool(result, lanes_); },
        [&](const MaxPool2dIndices &op) {
          schedule = schedule_pool_indices(op, graph_.type(anchor.operands[0]),
                                           graph_.type(anchor.results[0]), machine_);
        },
        [&](const MaxPool2dGradient &op) {
          schedule = schedule_pool_gradient(op, graph_.type(anchor.operands[0]),
                                            graph_.type(anchor.results[0]), machine_);
        },
        [&](const Resize2dGradient &) { schedule = schedule_resize(result, lanes_); },
        [&](const ScatterAdd &op) { schedule = schedule_scatter(op, result, lanes_); },
        [&](const RandomUniform &) { schedule = schedule_elementwise(result, lanes_); },
        [&](const OfCategory<Category::elementwise> auto &) {
          schedule = schedule_elementwise(result, lanes_);
        },
        [&](const OneOf<Concat, Slice, Pad, Expand> auto &) {
          schedule = schedule_elementwise(result, lanes_);
        },
        [&](const Gather &op) {
          schedule = schedule_gather(op, graph_.type(anchor.operands[0]),
                                     graph_.type(anchor.results[0]), lanes_);
        },
        [&](const Transpose &op) {
          schedule = schedule_transpose(graph_.type(anchor.operands[0]), result, op, lanes_);
        },
        [&](const DepthToSpace &) { schedule = schedule_pixels(result, result.shape[1], lanes_); },
        [&](const SpaceToDepth &) {
          const int64_t channels = graph_.type(anchor.operands[0]).shape[1];
          schedule = schedule_pixels(result, channels, lanes_);
        },
        [&](const Resize2d &) { schedule = schedule_resize(result, lanes_); },
        [&](const Relayout &) {
          schedule = schedule_relayout(graph_.type(anchor.operands[0]),
                                       graph_.type(anchor.results[0]), lanes_);
        },
        [&](const Lrn &) {
          // Channels are summed over: lanes are other dimensions.
          if (result.rank() > 2 && !blocked(result))
            schedule = schedule_elementwise(result, lanes_);
        },
        [&](const OneOf<LayerNorm, InstanceNorm, GroupNorm, Softmax, LogSoftmax, Hardmax> auto &) {
          reduction(schedule, members);
        },
        [&](const OfCategory<Category::reduction> auto &) { reduction(schedule, members); },
        [&](const Conv2dFilterGradient &op) {
          schedule = schedule_filter_gradient(op, graph_.type(anchor.operands[0]),
                                              graph_.type(anchor.operands[1]), machine_, recorder);
        },
        // Scalar loops as lowering makes them.
        [](const OneOf<ConvTranspose2d, MaxUnpool2d, BatchNorm, Split> auto &) {},
        // In no kernel.
        [](const OfCategory<Category::constant, Category::view, Category::loss> auto &) {},
        [](const Call &) {});
    if (const int64_t operations = work(members); operations < parallel_threshold) {
      schedule.parallel.clear();
      schedule.block.clear();
      recorder.note("threads", "one",
                    text("{} operations take less time than threads need to meet (from {} on)",
                         operations, parallel_threshold));
    } else if (schedule.parallel.empty()) {
      recorder.note("threads", "one", "none of its loops can be shared");
    } else {
      recorder.note(
          "threads", [&] { return "share " + spelt(schedule.parallel); },
          text("{} operations", operations));
    }
    return schedule;
  }

  /// The schedule of a kernel that computes the filter of a convolution, whose tile says how the
  /// filter will lie: output channels innermost.
  void filter(Schedule &schedule, const std::vector<NodeId> &members) const {
    const Node &last = graph_.nodes[members.back()];
    bool elementwise =
        std::holds_alternative<Unary>(last.op) || std::holds_alternative<Binary>(last.op);
    std::optional<NodeId> reader =
        elementwise ? reader_of_filter(graph_, last.results[0]) : std::nullopt;
    if (!reader || graph_.nodes[*reader].kernel == no_id)
      return;
    const LoopFactor *tile = tile_of(graph_.kernels[graph_.nodes[*reader].kernel].schedule,
                                     loops_of(graph_, graph_.nodes[*reader]), Role::channels);
    if (!tile || tile->size % lanes_ != 0)
      return;
    schedule.tile = {{"n", tile->size}, {"c", lanes_}};
    schedule.vector = {{"n", lanes_}};
    if (!schedule.parallel.empty())
      schedule.parallel = {"n", "c"};
  }

  /// Why a kernel with this schedule will be slow and what would help; empty when it is not, or so
  /// small that it does not matter.
  std::string slow_path(const std::vector<NodeId> &members, const Schedule &schedule) const {
    constexpr int64_t noticeable = 1'000'000; // operations, about a millisecond one after the other
    const Node &anchor = graph_.nodes[members.front()];
    if (std::holds_alternative<Relayout>(anchor.op) || work(members) < noticeable)
      return {};
    const TensorType &type = graph_.type(anchor.results[0]);
    const auto *conv = std::get_if<Conv2d>(&anchor.op);
    if (conv && !blocked(type))
      return fmt::format("{} groups of {} channels do not fill vectors of {}, and are computed on "
                         "plain NCHW; groups of a multiple of {} channels would be faster",
                         conv->groups, graph_.type(anchor.operands[1]).shape[1], lanes_, lanes_);
    bool pool = std::holds_alternative<MaxPool2d>(anchor.op) ||
                std::holds_alternative<AvgPool2d>(anchor.op) ||
                std::holds_alternative<GlobalAvgPool2d>(anchor.op);
    if (schedule.vector.empty())
      return fmt::format("{} of {} is computed without vectors{}", info_of(anchor.op).name,
                         to_string(graph_.type(anchor.operands[0])),
                         pool ? fmt::format("; {} channels or more would be faster", lanes_) : "");
    return {};
  }

private:
  bool blocked(const TensorType &type) const { return type.layout.block_of(1) == lanes_; }

  int64_t work(const std::vector<NodeId> &members) const {
    int64_t result = 0;
    for (NodeId member : members) {
      const Node &node = graph_.nodes[member];
      result += multiplications(graph_, node);
      for (ValueId operand : node.operands)
        result += element_count(graph_.type(operand).shape).value_or(0);
    }
    return result;
  }

  template <class Pool>
  Schedule pool(const Pool &op, const std::vector<NodeId> &members,
                const Recorder &recorder) const {
    const Node &node = graph_.nodes[members.front()];
    return schedule_pool(op, graph_.type(node.operands[0]), graph_.type(node.results[0]),
                         members.size() > 1, machine_, recorder);
  }

  void reduction(Schedule &schedule, const std::vector<NodeId> &members) const {
    const Node &node = graph_.nodes[members[0]];
    if (members.size() == 1 && !reduced_axes(graph_, node).empty())
      schedule = schedule_reduction(graph_, node, machine_);
  }

  const Graph &graph_;
  int64_t lanes_;
  Machine machine_;
  const PassContext &context_;
};

/// Kernels that are slow, one line for all that are so for one reason.
class SlowPaths {
public:
  void add(const std::string &kernel, const std::string &reason) {
    if (reason.empty())
      return;
    auto same = std::find_if(groups_.begin(), groups_.end(),
                             [&](const Group &group) { return group.reason == reason; });
    if (same == groups_.end())
      groups_.push_back({kernel, reason, 0});
    else
      ++same->others;
  }
  void report(const std::function<void(std::string)> &remark) const {
    for (const Group &group : groups_)
      remark(fmt::format("slow: @{}{}: {}", format_name(group.first),
                         group.others > 0 ? fmt::format(" and {} more", group.others) : "",
                         group.reason));
  }

private:
  struct Group {
    std::string first, reason;
    int others;
  };
  std::vector<Group> groups_;
};

} // namespace

bool choose_schedule(Graph &graph, PassContext &context) {
  std::vector<std::vector<NodeId>> members = kernel_members(graph);
  ScheduleChooser chooser(graph, context);
  const ScheduleOverrides overrides(graph, context.overrides, context.diagnostics);
  if (!overrides.all_found())
    return false;
  SlowPaths slow;
  std::vector<KernelId> chosen;
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    if (graph.kernels[id].schedule.empty()) {
      graph.kernels[id].schedule = chooser.choose(graph.kernels[id].name, members[id]);
      chosen.push_back(id);
    }
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    overrides.apply(graph.kernels[id], id);
  for (KernelId id : chosen) {
    chooser.filter(graph.kernels[id].schedule, members[id]);
    overrides.apply(graph.kernels[id], id); // what is set for the kernel of a filter stays
    slow.add(graph.kernels[id].name, chooser.slow_path(members[id], graph.kernels[id].schedule));
  }
  overrides.tell(graph, context);
  if (context.remark)
    slow.report(context.remark);
  bool ok = true;
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    ok = check_schedule(graph, graph.kernels[id], members[id], context.diagnostics) && ok;
  return ok;
}

} // namespace cnnc
