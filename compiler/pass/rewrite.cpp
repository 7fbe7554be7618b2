#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <cassert>

namespace cnnc {

bool replace_value(Graph &graph, ValueId from, ValueId to) {
  if (graph.is_output(from)) {
    if (graph.is_input(to) || graph.is_output(to))
      return false;
    graph.swap_names(from, to);
  }
  graph.replace_uses(from, to);
  graph.set_operands(graph.values[from].producer, {});
  return true;
}

std::optional<NodeId> single_user(const Graph &graph, ValueId value) {
  const std::vector<NodeId> &users = graph.value(value).users;
  return users.size() == 1 && !graph.is_output(value) ? std::optional(users.front()) : std::nullopt;
}

std::optional<NodeId> reader_of_filter(const Graph &graph, ValueId value) {
  std::optional<NodeId> user = single_user(graph, value);
  if (!user || !std::holds_alternative<Conv2d>(graph.nodes[*user].op))
    return std::nullopt;
  const std::vector<ValueId> &operands = graph.nodes[*user].operands;
  bool filter = operands[1] == value && std::count(operands.begin(), operands.end(), value) == 1;
  return filter ? user : std::nullopt;
}

const Node *producer_of(const Graph &graph, ValueId value) {
  NodeId producer = graph.values[value].producer;
  return producer == no_id ? nullptr : &graph.nodes[producer];
}

InferredTypes try_infer(const Graph &graph, const Op &op, const std::vector<ValueId> &operands,
                        std::vector<TensorType> declared) {
  Diagnostics ignored;
  std::vector<InferContext::Operand> types;
  types.reserve(operands.size());
  for (ValueId operand : operands)
    types.push_back({&graph.type(operand)});
  std::vector<const TensorType *> stated;
  for (const TensorType &type : declared)
    stated.push_back(&type);
  InferContext context(std::move(types), std::move(stated), {}, ignored);
  return infer(op, context);
}

bool become(Graph &graph, NodeId id, Op op, std::vector<ValueId> operands) {
  const TensorType &type = graph.type(graph.nodes[id].results[0]);
  InferredTypes types = try_infer(graph, op, operands, {type});
  if (!types || types->size() != 1 || !same_logical_type(types->front(), type))
    return false;
  graph.redefine(id, std::move(op), std::move(operands));
  return true;
}

void rewrite_until_unchanged(Graph &graph, const std::function<bool(NodeId)> &rewrite) {
  for (bool changed = true; changed;) {
    changed = false;
    for (NodeId id = 0; id < graph.nodes.size(); ++id)
      changed = rewrite(id) || changed;
    graph.sort();
    graph.erase_dead_nodes();
  }
}

void reorder(Graph &graph, const std::vector<NodeId> &order) {
  std::deque<Node> nodes;
  for (NodeId id : order) {
    for (ValueId result : graph.nodes[id].results)
      graph.values[result].producer = static_cast<NodeId>(nodes.size());
    nodes.push_back(std::move(graph.nodes[id]));
  }
  graph.nodes = std::move(nodes);
  graph.erase_nodes(std::vector<bool>(graph.nodes.size(), false)); // numbers them
}

ValueId add_inferred(Graph &graph, Op op, std::vector<ValueId> operands, const std::string &name) {
  InferredTypes types = try_infer(graph, op, operands);
  assert(types && types->size() == 1);
  return graph.add_node(std::move(op), std::move(operands), name, types->front());
}

Reshape reshape_to(const TensorType &type) {
  Reshape result{type.shape};
  if (type.has_symbolic_batch())
    result.shape[0] = 0;
  return result;
}

ValueId repeat_for_pixels(Graph &graph, ValueId vector, int64_t pixels, DepthOrder order,
                          const std::string &name) {
  if (pixels == 1)
    return vector;
  if (order == DepthOrder::dcr) {
    std::vector<ValueId> copies(static_cast<size_t>(pixels), vector);
    return add_inferred(graph, Concat{0}, copies, graph.unique_value_name(name));
  }
  const int64_t count = graph.type(vector).shape[0];
  ValueId column =
      add_inferred(graph, Reshape{{count, 1}}, {vector}, graph.unique_value_name(name + ".column"));
  std::vector<ValueId> copies(static_cast<size_t>(pixels), column);
  ValueId rows =
      add_inferred(graph, Concat{1}, copies, graph.unique_value_name(name + ".repeated"));
  return add_inferred(graph, Reshape{{count * pixels}}, {rows}, graph.unique_value_name(name));
}

} // namespace cnnc
