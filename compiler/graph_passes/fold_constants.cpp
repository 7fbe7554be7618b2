// Constant folding: computes small constants, keeps those with equal elements as a splat, and drops
// what adds 0 or multiplies by 1.
//
//   %a = literal [1, 4] : f32[2]                  %b = literal [1, 2] : f32[2]
//   %b = sqrt %a                                  %d = splat 3 : f32[64, 64, 3, 3]
//   %c = splat 9 : f32[64, 64, 3, 3]         =>   %y = mul %x, %b : f32[1, 2]
//   %d = sqrt %c
//   %z = splat 0 : f32[1, 2]
//   %m = mul %x, %b
//   %y = add %m, %z
//
// Sums, means and extremes of equal elements are equal elements, too, however many they are.
//
// Larger constants and those made of weights stay expressions: the text of a model holds no data,
// and they are computed when the weights are stored; but for products of matrices and convolutions
// of more than 2^32 multiplications, which would take the reference interpreter minutes: these
// become kernels. Members of kernels stay as they are; what
// nobody reads any more goes.

#include "compiler/analysis/cost.h"
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"
#include "compiler/reference/evaluate.h"

#include <algorithm>
#include <bit>

namespace cnnc {

namespace {

constexpr int64_t largest_folded = 64; // elements

class ConstantFolder {
public:
  explicit ConstantFolder(Graph &graph) : graph_(graph) {}

  bool fold(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (node.kernel != no_id || node.operands.empty() || node.results.size() != 1 ||
        !plain_f32(node.results[0]))
      return false;
    return drop_neutral(node) || move_splat(id) || reduce_splat(id) || compute_splat(id) ||
           compute(id) || leave_to_run_time(id);
  }

private:
  bool plain_f32(ValueId id) const {
    return graph_.type(id).dtype == DType::f32 && graph_.type(id).layout.plain();
  }

  template <class T> const T *source(ValueId id) const {
    const Node *producer = producer_of(graph_, id);
    return producer ? std::get_if<T>(&producer->op) : nullptr;
  }

  bool is_splat_of(ValueId id, double element) const {
    const Splat *splat = source<Splat>(id);
    return splat && splat->value == element;
  }

  /// x + 0, x - 0, x * 1, x / 1 where nothing is broadcast to a larger shape.
  bool drop_neutral(const Node &node) {
    const Binary *binary = std::get_if<Binary>(&node.op);
    if (!binary)
      return false;
    ValueId a = node.operands[0], b = node.operands[1], result = node.results[0];
    bool sum = binary->row == binary::add, product = binary->row == binary::mul;
    bool difference = binary->row == binary::sub, quotient = binary->row == binary::div;
    auto drop = [&](ValueId neutral, ValueId kept) {
      bool neutral_element = ((sum || difference) && is_splat_of(neutral, 0)) ||
                             ((product || quotient) && is_splat_of(neutral, 1));
      return neutral_element && graph_.type(kept) == graph_.type(result) &&
             replace_value(graph_, result, kept);
    };
    return drop(b, a) || ((sum || product) && drop(a, b));
  }

  /// Ops that only move elements leave a splat a splat.
  bool move_splat(NodeId id) {
    const Node &node = graph_.nodes[id];
    const Splat *first = source<Splat>(node.operands[0]);
    const Category category = category_of(node.op);
    if (!first || (category != Category::movement && category != Category::view))
      return false;
    double element = first->value;
    for (ValueId operand : node.operands)
      if (!is_splat_of(operand, element))
        return false;
    const Pad *pad = std::get_if<Pad>(&node.op);
    if (pad && pad->mode == PadMode::constant && pad->value != element)
      return false;
    graph_.redefine(id, Splat{element}, {});
    return true;
  }

  /// The reduction of equal elements follows from one of them.
  bool reduce_splat(NodeId id) {
    const Node &node = graph_.nodes[id];
    const Splat *splat = source<Splat>(node.operands[0]);
    if (!splat || !plain_f32(node.operands[0]) || is_empty(graph_.type(node.operands[0])))
      return false;
    const auto count = static_cast<double>(*element_count(graph_.type(node.operands[0]).shape)) /
                       static_cast<double>(*element_count(graph_.type(node.results[0]).shape));
    const double element = static_cast<float>(splat->value);
    const bool sum = std::holds_alternative<ReduceSum>(node.op);
    if (!sum && !is_one_of<ReduceMean, ReduceMax, ReduceMin, GlobalAvgPool2d>(node.op))
      return false;
    graph_.redefine(id, Splat{static_cast<float>(sum ? element * count : element)}, {});
    return true;
  }

  /// A constant that is too much work for the reference interpreter.
  bool leave_to_run_time(NodeId id) {
    constexpr int64_t most_multiplications = int64_t(1) << 32;
    if (!graph_.is_constant(graph_.nodes[id].results[0]) ||
        multiplications(graph_, graph_.nodes[id]) <= most_multiplications)
      return false;
    graph_.enclose(id);
    return true;
  }

  /// An element-wise op on splats of any size, computed for one element.
  bool compute_splat(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (!is_formula(node.op) || !plain_f32(node.results[0]))
      return false;
    std::vector<Tensor> operands;
    for (ValueId operand : node.operands) {
      const Splat *splat = source<Splat>(operand);
      if (!splat || !plain_f32(operand))
        return false;
      operands.emplace_back(TensorType{});
      operands.back().mutable_floats()[0] = static_cast<float>(splat->value);
    }
    std::optional<Tensor> element = evaluate_one(node.op, operands, {});
    if (!element)
      return false;
    graph_.redefine(id, Splat{element->floats()[0]}, {});
    return true;
  }

  /// Any op on small literals and splats.
  bool compute(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (category_of(node.op) == Category::internal || !is_small(node.results[0]))
      return false;
    std::vector<Tensor> operands;
    for (ValueId operand : node.operands) {
      const Node *producer = producer_of(graph_, operand);
      if (!producer || !is_one_of<Literal, Splat>(producer->op) || !is_small(operand))
        return false;
      std::optional<Tensor> tensor = evaluate_one(producer->op, {}, graph_.type(operand));
      if (!tensor)
        return false;
      operands.push_back(std::move(*tensor));
    }
    std::optional<Tensor> result = evaluate_one(node.op, operands, graph_.type(node.results[0]));
    if (!result)
      return false;
    std::span<const float> elements = result->floats();
    bool alike = std::all_of(elements.begin(), elements.end(), [&](float element) {
      return std::bit_cast<uint32_t>(element) == std::bit_cast<uint32_t>(elements[0]);
    });
    if (alike)
      graph_.redefine(id, Splat{elements[0]}, {});
    else
      graph_.redefine(id, Literal{std::vector<double>(elements.begin(), elements.end())}, {});
    return true;
  }

  bool is_small(ValueId id) const {
    return plain_f32(id) && *element_count(graph_.type(id).shape) <= largest_folded;
  }

  std::optional<Tensor> evaluate_one(const Op &op, const std::vector<Tensor> &operands,
                                     const TensorType &type) const {
    std::vector<const Tensor *> pointers;
    for (const Tensor &operand : operands)
      pointers.push_back(&operand);
    Diagnostics ignored; // what cannot be computed stays as it is
    std::optional<std::vector<Tensor>> results = evaluate(op, pointers, {type}, ignored);
    if (!results || results->size() != 1)
      return std::nullopt;
    return std::move(results->front());
  }

  Graph &graph_;
};

} // namespace

bool fold_constants(Graph &graph, PassContext &) {
  ConstantFolder folder(graph);
  for (NodeId id = 0; id < graph.nodes.size();
       ++id) // in order: operands are folded before their users
    folder.fold(id);
  graph.erase_dead_nodes();
  return true;
}

} // namespace cnnc
