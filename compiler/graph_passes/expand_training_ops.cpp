// Writes losses, and batch norms with the statistics of their input, with other ops
// (ir/graph/gradients/spelt_out.h).
//
//   %loss = mean_squared_error %a, %b        =>     %sub = sub %a, %b
//                                                   %mul = mul %sub, %sub
//                                                   %reduce_sum = reduce_sum %mul axes=[0, 1]
//                                                   %reshape = reshape %reduce_sum shape=[]
//                                                   %c0.125 = splat 0.125 : f32[]
//                                                   %loss = mul %reshape, %c0.125
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/gradients/spelt_out.h"

namespace cnnc {

namespace {

/// The results of an op spelt out; nothing for other ops.
std::vector<Term> spell_out(const Op &op, const std::vector<Term> &operands) {
  return std::visit(
      [&]<class T>(const T &known) -> std::vector<Term> {
        if constexpr (T::traits.category == Category::loss)
          return {spelt_out(known, operands[0], operands[1])};
        else if constexpr (std::is_same_v<T, BatchNorm>)
          return known.statistics == Statistics::batch ? spelt_out(known, operands)
                                                       : std::vector<Term>();
        else
          return {};
      },
      op);
}

} // namespace

bool expand_training_ops(Graph &graph, PassContext &context) {
  context.unchanged = true;
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    std::vector<Term> operands;
    for (ValueId operand : graph.nodes[id].operands)
      operands.emplace_back(graph, operand);
    const Op op = graph.nodes[id].op; // a copy: terms add nodes
    const std::vector<Term> results = spell_out(op, operands);
    for (size_t i = 0; i < results.size(); ++i) {
      const ValueId before = graph.nodes[id].results[i];
      graph.replace_uses(before, results[i].id());
      graph.swap_names(before, results[i].id());
      context.unchanged = false;
    }
  }
  if (context.unchanged)
    return true;
  const bool sorted = graph.sort();
  graph.erase_dead_nodes();
  return sorted;
}

} // namespace cnnc
