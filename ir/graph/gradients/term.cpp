#include "ir/graph/gradients/term.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

/// Types of the results; the operands have been made to fit.
std::vector<TensorType> infer_types(const Graph &graph, const Op &op,
                                    const std::vector<ValueId> &operands) {
  Diagnostics diagnostics;
  std::vector<InferContext::Operand> types;
  for (ValueId operand : operands)
    types.push_back({&graph.type(operand)});
  InferContext context(std::move(types), {}, {}, diagnostics);
  InferredTypes inferred = infer(op, context);
  assert(inferred && "a gradient rule made an op that does not fit its operands");
  return inferred.value_or(std::vector<TensorType>());
}

const Term &value_of(const Term &a, const Term &b) { return a.is_number() ? b : a; }

Term apply_two(const BinaryRow *row, const Term &a, const Term &b) {
  Graph &graph = value_of(a, b).graph();
  return apply(Binary{row}, {as_value(graph, a), as_value(graph, b)});
}

} // namespace

Term no_gradient(const Term &, const Term &, const Term &, const UnaryParameters &) { return 0; }

std::vector<Term> apply_all(Op op, const std::vector<Term> &operands) {
  Graph &graph = operands.front().graph();
  Node node;
  for (const Term &operand : operands)
    node.operands.push_back(operand.id());
  // Names come with what the values are for (Backward::give); until then they are the op's.
  const std::string name = info_of(op).name;
  std::vector<Term> results;
  for (TensorType &type : infer_types(graph, op, node.operands)) {
    node.results.push_back(graph.add_value(graph.unique_value_name(name), std::move(type)));
    results.emplace_back(graph, node.results.back());
  }
  node.op = std::move(op);
  graph.append(std::move(node));
  return results;
}

Term apply(Op op, const std::vector<Term> &operands) {
  return apply_all(std::move(op), operands).front();
}

Term as_value(Graph &graph, const Term &term) {
  if (!term.is_number())
    return term;
  // One value for all uses of a number, which is its name.
  const std::string name = fmt::format("c{}", term.number());
  const TensorType type{DType::f32, {}, "", {}};
  const std::optional<ValueId> known = graph.find_value(name);
  if (known && !graph.is_input(*known) && graph.type(*known) == type) {
    const auto *splat = std::get_if<Splat>(&graph.nodes[graph.value(*known).producer].op);
    if (splat && splat->value == term.number())
      return {graph, *known};
  }
  return {graph, graph.add_node(Splat{term.number()}, {}, graph.unique_value_name(name), type)};
}

Term constant(const Term &like, std::vector<double> elements, std::vector<int64_t> shape,
              DType dtype) {
  Graph &graph = like.graph();
  return {graph, graph.add_node(Literal{std::move(elements)}, {}, graph.unique_value_name("table"),
                                {dtype, std::move(shape), "", {}})};
}

Term filled(const Term &like, double element, std::vector<int64_t> shape) {
  Graph &graph = like.graph();
  return {graph, graph.add_node(Splat{element}, {}, graph.unique_value_name("filled"),
                                {DType::f32, std::move(shape), "", {}})};
}

Term operator+(const Term &a, const Term &b) {
  if (a.is_number() && b.is_number())
    return a.number() + b.number();
  if (a.is_number(0) || b.is_number(0))
    return a.is_number(0) ? b : a;
  return apply_two(binary::add, a, b);
}

Term operator-(const Term &a, const Term &b) {
  if (a.is_number() && b.is_number())
    return a.number() - b.number();
  if (b.is_number(0))
    return a;
  return a.is_number(0) ? -b : apply_two(binary::sub, a, b);
}

Term operator-(const Term &a) { return a.is_number() ? Term(-a.number()) : apply(unary::neg, a); }

Term operator*(const Term &a, const Term &b) {
  if (a.is_number() && b.is_number())
    return a.number() * b.number();
  if (a.is_number(1) || b.is_number(1))
    return a.is_number(1) ? b : a;
  if (a.is_number(0) || b.is_number(0))
    return 0;
  return apply_two(binary::mul, a, b);
}

Term operator/(const Term &a, const Term &b) {
  if (a.is_number() && b.is_number())
    return a.number() / b.number();
  return b.is_number(1) ? a : apply_two(binary::div, a, b);
}

Term apply(const UnaryRow *row, const Term &x) {
  Unary op{row};
  for (size_t i = 0; i < row->parameter_count(); ++i)
    op.parameters[i] = row->parameters[i].default_value;
  return apply(op, {x});
}

Term apply(const BinaryRow *row, const Term &a, const Term &b) { return apply_two(row, a, b); }

Term exp(const Term &x) { return x.is_number() ? std::exp(x.number()) : apply(unary::exp, x); }
Term log(const Term &x) { return x.is_number() ? std::log(x.number()) : apply(unary::log, x); }
Term sqrt(const Term &x) { return x.is_number() ? std::sqrt(x.number()) : apply(unary::sqrt, x); }
Term pow(const Term &a, const Term &b) { return apply(binary::pow, a, b); }
Term sigmoid(const Term &x) { return apply(unary::sigmoid, x); }
Term tanh(const Term &x) { return apply(unary::tanh, x); }

Term is_less(const Term &a, const Term &b) { return apply(binary::less, a, b); }
Term is_equal(const Term &a, const Term &b) { return apply(binary::equal, a, b); }
Term both(const Term &a, const Term &b) { return apply(binary::logical_and, a, b); }

Term where(const Term &condition, const Term &a, const Term &b) {
  Graph &graph = condition.graph();
  return apply(Where{}, {condition, as_value(graph, a), as_value(graph, b)});
}

Term as_number(const Term &condition) { return apply(Cast{CastType::f32}, {condition}); }

Term sum(const Term &x, std::vector<int64_t> axes) {
  return axes.empty() ? x : apply(ReduceSum{std::move(axes), true}, {x});
}

Term mean(const Term &x, std::vector<int64_t> axes) {
  return axes.empty() ? x : apply(ReduceMean{std::move(axes), true}, {x});
}

Term reshape(const Term &x, const std::vector<int64_t> &shape) {
  return x.shape() == shape ? x : apply(Reshape{shape}, {x});
}

Term transpose(const Term &x, std::vector<int64_t> permutation) {
  return apply(Transpose{std::move(permutation)}, {x});
}

Term expand(const Term &x, const std::vector<int64_t> &shape) {
  return x.shape() == shape ? x : apply(Expand{shape}, {x});
}

Term sum_to(const Term &x, const std::vector<int64_t> &shape) {
  const size_t more = x.rank() - shape.size();
  std::vector<int64_t> axes;
  for (size_t i = 0; i < x.rank(); ++i)
    if (x.dim(i) != 1 && (i < more || shape[i - more] == 1))
      axes.push_back(static_cast<int64_t>(i));
  return reshape(sum(x, std::move(axes)), shape);
}

std::vector<int64_t> range(size_t first, size_t last) {
  std::vector<int64_t> result(last > first ? last - first : 0);
  std::iota(result.begin(), result.end(), static_cast<int64_t>(first));
  return result;
}

} // namespace cnnc
