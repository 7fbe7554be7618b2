#include "compiler/pass/repeat_dequantize.h"

#include "compiler/pass/rewrite.h"

#include <algorithm>

namespace cnnc {

namespace {

bool is_repeatable(const Graph &graph, const Node &node) {
  return std::holds_alternative<Dequantize>(node.op) && node.kernel == no_id &&
         !graph.is_constant(node.results[0]) && !graph.is_output(node.results[0]) &&
         !graph.value(node.results[0]).users.empty();
}

} // namespace

void repeat_dequantize(Graph &graph) {
  if (std::ranges::none_of(graph.nodes,
                           [&](const Node &node) { return is_repeatable(graph, node); }))
    return;
  const auto count = static_cast<NodeId>(graph.nodes.size());
  std::vector<std::vector<NodeId>> before(count); // of each node, the dequantizes that it reads
  for (NodeId id = 0; id < count; ++id) {
    const Node node = graph.nodes[id]; // a copy: nodes are added
    if (!is_repeatable(graph, node))
      continue;
    const ValueId result = node.results[0];
    const std::vector<NodeId> users = graph.value(result).users;
    for (NodeId user : users) {
      if (user == users.front()) {
        before[user].push_back(id);
        continue;
      }
      const ValueId copy =
          graph.add_node(node.op, node.operands, graph.unique_value_name(graph.value(result).name),
                         graph.type(result));
      std::vector<ValueId> operands = graph.nodes[user].operands;
      std::ranges::replace(operands, result, copy);
      graph.set_operands(user, std::move(operands));
      before[user].push_back(graph.value(copy).producer);
    }
  }
  std::vector<NodeId> order;
  for (NodeId id = 0; id < count; ++id) {
    order.insert(order.end(), before[id].begin(), before[id].end());
    if (!is_repeatable(graph, graph.nodes[id]))
      order.push_back(id);
  }
  reorder(graph, order);
}

} // namespace cnnc
