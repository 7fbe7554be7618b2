// Rematerialisation: what is kept in the workspace for a late reader and is cheap to compute again
// is computed again right before it, where the workspace is smaller for it. In a step of training
// these are results of norms, activations, pools and changes of layout, which the way back reads:
// what is kept then are results of convolutions.
//
//   kernel @w(%p, %filter) -> (%w) {
//     %w = conv2d %p, %filter
//   }
//   kernel @m(%w) -> (%m) {
//     %m = reduce_mean %w axes=[1]
//   }
//   kernel @y(%m, %e) -> (%y) {
//     %y = mul %m, %e                  // %e is kept beside %w, which is large
//   }
// becomes
//   kernel @w(%p, %filter) -> (%w) {
//     %w = conv2d %p, %filter : f32[1, 64, 8, 8]
//   }
//   kernel @m(%w) -> (%m) {
//     %m = reduce_mean %w axes=[1] : f32[1, 1, 8, 8]
//   }
//   kernel @e.again(%x) -> (%e.again) {
//     %e.again = exp %x : f32[1, 8, 8, 8]
//   }
//   kernel @y(%m, %e.again) -> (%y) {
//     %y = mul %m, %e.again : f32[1, 8, 8, 8]
//   }
//
// Whole kernels are copied, with the layouts of what they read and write, so that a copy computes
// the same bits. compiler/training/recomputation.cpp decides which.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/training/recomputation.h"

#include <algorithm>
#include <map>

namespace cnnc {

namespace {

/// Carries out a timetable in the graph that it was made of.
class Copies {
public:
  Copies(Graph &graph, const Execution &execution, const Timetable &table)
      : graph_(graph), execution_(execution), table_(table) {}

  void run() {
    for (const TimetableStep &step : table_.steps) {
      memory_of_root_.clear();
      for (uint32_t memory : step.reads)
        if (table_.memories[memory].copy)
          memory_of_root_[table_.memories[memory].root] = memory;
      if (step.again)
        copy(step);
      else if (!memory_of_root_.empty())
        redirect(step);
    }
    graph_.sort();             // copies before their first readers, all else as it stands
    graph_.erase_dead_nodes(); // views that only late readers had
  }

private:
  void copy(const TimetableStep &step) {
    const std::vector<NodeId> &members = execution_.steps[step.step];
    const KernelId kernel = copy_of_kernel(graph_.nodes[members.front()].kernel);
    std::map<ValueId, ValueId> inside; // results of the step
    for (NodeId id : members) {
      const std::vector<ValueId> operands = operands_of(id, inside);
      const NodeId added = copy_node(id, operands, kernel);
      for (size_t i = 0; i < graph_.nodes[id].results.size(); ++i)
        inside[graph_.nodes[id].results[i]] = graph_.nodes[added].results[i];
    }
    for (uint32_t memory : step.writes) {
      const ValueId root = table_.memories[memory].root;
      copies_[{root, memory}] = inside.at(root);
    }
  }

  void redirect(const TimetableStep &step) {
    for (NodeId id : execution_.steps[step.step])
      graph_.set_operands(id, operands_of(id, {}));
  }

  KernelId copy_of_kernel(KernelId kernel) {
    if (kernel == no_id)
      return no_id;
    const KernelId added = graph_.add_kernel(graph_.kernels[kernel].name + ".again");
    graph_.kernels[added].schedule = graph_.kernels[kernel].schedule;
    return added;
  }

  NodeId copy_node(NodeId id, const std::vector<ValueId> &operands, KernelId kernel) {
    Node node{graph_.nodes[id].op, operands, {}, kernel, {}, {}, {}};
    for (ValueId result : graph_.nodes[id].results)
      node.results.push_back(
          graph_.add_value(graph_.unique_value_name(graph_.value(result).name + ".again"),
                           graph_.value(result).type));
    return graph_.append(std::move(node));
  }

  std::vector<ValueId> operands_of(NodeId id, const std::map<ValueId, ValueId> &inside) {
    std::vector<ValueId> operands = graph_.nodes[id].operands;
    for (ValueId &operand : operands) {
      auto own = inside.find(operand);
      operand = own != inside.end() ? own->second : current(operand);
    }
    return operands;
  }

  /// A value as the present step finds it: itself, or in a copy of the memory in which it lies.
  ValueId current(ValueId value) {
    const ValueId root = execution_.places[value].root;
    auto found = memory_of_root_.find(root);
    if (found == memory_of_root_.end())
      return value;
    const std::pair key(value, found->second);
    if (auto known = copies_.find(key); known != copies_.end())
      return known->second;
    // A view of the root: its op, once more.
    const NodeId view = graph_.value(value).producer;
    const NodeId added = copy_node(view, {current(graph_.nodes[view].operands[0])}, no_id);
    for (size_t i = 0; i < graph_.nodes[view].results.size(); ++i)
      copies_[{graph_.nodes[view].results[i], found->second}] = graph_.nodes[added].results[i];
    return copies_.at(key);
  }

  Graph &graph_;
  const Execution &execution_;
  const Timetable &table_;
  std::map<ValueId, uint32_t> memory_of_root_;             // copies that the step reads
  std::map<std::pair<ValueId, uint32_t>, ValueId> copies_; // by value and memory
};

std::optional<int64_t> planned_size(Graph graph, PassContext &context) {
  if (!plan_memory(graph, context))
    return std::nullopt;
  return workspace_size(graph);
}

} // namespace

bool rematerialize(Graph &graph, PassContext &context) {
  context.unchanged = true;
  const Execution execution = order_of_execution(graph);
  const Timetable table = recompute(graph, execution);
  if (table.steps.size() == execution.steps.size())
    return true;
  Graph changed = graph;
  Copies(changed, execution, table).run();
  // What lies beside what is for plan_memory to decide, which may leave other gaps.
  const std::optional<int64_t> before = planned_size(graph, context);
  const std::optional<int64_t> after = planned_size(changed, context);
  if (!before || !after)
    return false;
  if (*after < *before) {
    graph = std::move(changed);
    context.unchanged = false;
  }
  return true;
}

} // namespace cnnc
