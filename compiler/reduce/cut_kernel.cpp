#include "compiler/reduce/cut_kernel.h"

#include <map>

namespace cnnc {

namespace {

class Cutter {
public:
  Cutter(const Graph &graph, KernelId kernel) : graph_(graph), kernel_(kernel) {}

  Graph run() {
    result_.name = graph_.name;
    result_.weights_file = graph_.weights_file;
    result_.range = graph_.range;
    for (const Node &node : graph_.nodes)
      if (node.kernel == kernel_)
        copy(node);
    const std::vector<KernelInterface> interfaces = kernel_interfaces(graph_);
    for (ValueId output : interfaces[kernel_].outputs)
      result_.outputs.push_back(known_.at(output));
    return std::move(result_);
  }

private:
  ValueId add_value(ValueId id) {
    const Value &value = graph_.value(id);
    std::optional<TensorType> type = value.type;
    if (type)
      type->layout = {};
    const ValueId added = result_.add_value(value.name, std::move(type));
    result_.value(added).range = value.range;
    known_.emplace(id, added);
    return added;
  }

  ValueId operand(ValueId id) {
    if (!known_.contains(id) && graph_.is_constant(id))
      copy(graph_.nodes[graph_.value(id).producer]);
    if (auto found = known_.find(id); found != known_.end())
      return found->second;
    result_.inputs.push_back(add_value(id));
    return result_.inputs.back();
  }

  void copy(const Node &node) {
    Node added = node;
    added.kernel = no_id;
    for (ValueId &id : added.operands)
      id = operand(id);
    for (ValueId &id : added.results)
      id = add_value(id);
    result_.append(std::move(added));
  }

  const Graph &graph_;
  const KernelId kernel_;
  Graph result_;
  std::map<ValueId, ValueId> known_; // of the graph to those of the result
};

} // namespace

Graph cut_kernel(const Graph &graph, KernelId kernel) { return Cutter(graph, kernel).run(); }

} // namespace cnnc
