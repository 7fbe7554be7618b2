#include "compiler/analysis/cost.h"

#include <algorithm>

namespace cnnc {

namespace {

constexpr int64_t most = int64_t(1) << 62;

/// Ops that say how many multiplications they are.
template <class T>
concept Multiplies = requires {
  &T::macs;
};

bool is_state(const Graph &graph, ValueId value) {
  return graph.is_input(value) && std::ranges::find(graph.updated, value) != graph.updated.end();
}

int64_t elements(const TensorType &type) { return element_count(type.shape).value_or(most); }

/// Whether an operand of arithmetic is one number of the text: a factor or a bound, nothing that was
/// learned.
bool is_number(const Graph &graph, const Node &node, ValueId operand) {
  const NodeId producer = graph.value(operand).producer;
  if (category_of(node.op) != Category::elementwise || producer == no_id)
    return false;
  const Op &op = graph.nodes[producer].op;
  return std::holds_alternative<Splat>(op) ||
         (std::holds_alternative<Literal>(op) && elements(graph.type(operand)) == 1);
}

} // namespace

int64_t multiplications(const Graph &graph, const Node &node) {
  return match(
      node.op,
      [&]<class T>(const T &) requires Multiplies<T> {
        OperandTypes operands;
        for (ValueId operand : node.operands)
          operands.push_back(&graph.type(operand));
        return T::macs(operands, graph.type(node.results[0])).value_or(most);
      },
      [](const OfCategory<Category::constant, Category::pool, Category::max_position,
                          Category::elementwise, Category::normalization, Category::reduction,
                          Category::movement, Category::view, Category::resize, Category::loss,
                          Category::internal> auto &) { return int64_t(0); },
      [](const OneOf<MaxPool2dGradient, ScatterAdd, RandomUniform, Resize2dGradient> auto &) {
        return int64_t(0);
      });
}

std::vector<ValueId> parameter_operands(const Graph &graph, const Node &node) {
  const auto [first, end] = traits_of(node.op).parameters;
  std::vector<ValueId> result;
  for (int i = first; i < std::min<int>(end, static_cast<int>(node.operands.size())); ++i) {
    ValueId operand = node.operands[static_cast<size_t>(i)];
    if ((graph.is_constant(operand) || is_state(graph, operand)) && graph.values[operand].type &&
        !is_number(graph, node, operand))
      result.push_back(operand);
  }
  return result;
}

int64_t parameters(const Graph &graph, const std::vector<ValueId> &operands) {
  int64_t sum = 0;
  for (ValueId operand : operands)
    sum = checked_add(sum, elements(graph.type(operand))).value_or(most);
  return sum;
}

} // namespace cnnc
