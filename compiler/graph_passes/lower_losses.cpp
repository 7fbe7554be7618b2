// Writes losses with other ops (ir/graph/gradients/loss.h).
//
//   %loss = mean_squared_error %a, %b        =>     %sub = sub %a, %b
//                                                   %mul = mul %sub, %sub
//                                                   %reduce_sum = reduce_sum %mul axes=[0, 1]
//                                                   ...
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/gradients/loss.h"

namespace cnnc {

bool lower_losses(Graph &graph, PassContext &context) {
  context.unchanged = true;
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    const Node &node = graph.nodes[id];
    if (category_of(node.op) != Category::loss)
      continue;
    const ValueId before = node.results[0];
    const Term a(graph, node.operands[0]), b(graph, node.operands[1]);
    const Term loss = std::visit(
        [&]<class T>(const T &op) -> Term {
          if constexpr (T::traits.category == Category::loss)
            return spelt_out(T(op), a, b);
          else
            return 0;
        },
        graph.nodes[id].op);
    graph.replace_uses(before, loss.id());
    graph.swap_names(before, loss.id());
    context.unchanged = false;
  }
  if (context.unchanged)
    return true;
  const bool sorted = graph.sort();
  graph.erase_dead_nodes();
  return sorted;
}

} // namespace cnnc
