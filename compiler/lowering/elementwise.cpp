// Element-wise ops as loops over the result:
//
//   for n, c, h, w { result[n, c, h, w] = max(0, input[n, c, h, w]) }
//
// The order of the operands of min and max decides what becomes of a NaN: the second one passes it
// on.
#include "compiler/lowering/extents.h"

#include <cmath>

namespace cnnc {

using loop::Expression;
using loop::Function;
using loop::number;

namespace {

Expression min(Expression a, Expression b) {
  return call(Function::min, {std::move(a), std::move(b)});
}
Expression max(Expression a, Expression b) {
  return call(Function::max, {std::move(a), std::move(b)});
}
Expression exp(Expression x) { return call(Function::exp, {std::move(x)}); }

Expression fma(Expression a, Expression b, Expression c) {
  return call(Function::fma, {std::move(a), std::move(b), std::move(c)});
}

Expression if_negative(const Expression &x, Expression then, Expression otherwise) {
  return call(Function::select_less, {x, number(0), std::move(then), std::move(otherwise)});
}

/// min(1, max(0, scale * x + offset))
Expression hard_step(const Expression &x, double scale, double offset) {
  return min(number(1), max(number(0), fma(x, number(scale), number(offset))));
}

/// 1 + exp(-x)
Expression one_plus_exp_minus(const Expression &x) {
  return number(1) + exp(call(Function::neg, {x}));
}

Expression clip(const Expression &x, double lowest, double highest) {
  Expression result = x;
  if (lowest != -INFINITY)
    result = max(number(lowest), std::move(result));
  if (highest != INFINITY)
    result = min(number(highest), std::move(result));
  return result;
}

/// Adds zero, or NaN when x is NaN. The product with x alone would make NaN of an infinity, too.
Expression with_nan_of(const Expression &x, Expression value) {
  return fma(number(0), max(number(-1), min(number(1), x)), std::move(value));
}

Expression binary_expression(BinaryKind kind, const Expression &a, const Expression &b) {
  switch (kind) {
  case BinaryKind::add:
    return a + b;
  case BinaryKind::sub:
    return a - b;
  case BinaryKind::mul:
    return a * b;
  case BinaryKind::div:
    return a / b;
  case BinaryKind::min:
    return with_nan_of(a, min(a, b));
  case BinaryKind::max:
    return with_nan_of(a, max(a, b));
  case BinaryKind::prelu:
    return if_negative(a, b * a, a);
  }
  return a;
}

/// Limits the extents of the result to an operand whose last dimensions are those of the result
/// or 1.
void limit_extents(std::vector<int64_t> &extents, const TensorType &result,
                   const TensorType &operand) {
  size_t missing = result.rank() - operand.rank();
  bool repeated = operand.shape != result.shape;
  for (size_t i = 0; i < operand.rank(); ++i)
    if (!repeated || operand.shape[i] != 1)
      limit_extent(extents[missing + i], operand, i);
}

/// Loops over the result with `value`, made from `operand_count` operands.
bool lower_elementwise(Lowering &lowering, size_t operand_count, Expression value) {
  const TensorType &result = lowering.result();
  std::vector<int64_t> extents = loop_extents(result);
  for (size_t i = 0; i < operand_count; ++i)
    limit_extents(extents, result, lowering.operand(i));
  std::vector<std::string> names = loop_names(result.rank());
  std::vector<loop::Statement> body;
  body.push_back(lowering.write(variables(names), std::move(value)));
  append_loops(lowering, names, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

/// An operand at the subscripts of the result. One of the same shape has exactly these, also where
/// a dimension is 1, so that fuse_loops sees that producer and consumer are at the same element.
Expression operand_at(const Lowering &lowering, size_t index, const Subscripts &subscripts) {
  bool same = lowering.operand(index).shape == lowering.result().shape;
  return same ? lowering.read(index, subscripts) : lowering.read_broadcast(index, subscripts);
}

} // namespace

Expression unary_expression(const Unary &op, const Expression &x) {
  const auto &[p0, p1] = op.parameters;
  switch (op.kind) {
  case UnaryKind::relu:
    return max(number(0), x);
  case UnaryKind::leaky_relu:
    return if_negative(x, number(p0) * x, x);
  case UnaryKind::sigmoid:
    return number(1) / one_plus_exp_minus(x);
  case UnaryKind::tanh:
    return call(Function::tanh, {x});
  case UnaryKind::clip:
    return clip(x, p0, p1);
  case UnaryKind::hard_sigmoid:
    return hard_step(x, p0, p1);
  case UnaryKind::hard_swish:
    return x * hard_step(x, 1.0 / 6, 0.5);
  case UnaryKind::silu:
    return x / one_plus_exp_minus(x);
  case UnaryKind::elu:
    return if_negative(x, number(p0) * (exp(x) - number(1)), x);
  case UnaryKind::exp:
    return exp(x);
  case UnaryKind::sqrt:
    return call(Function::sqrt, {x});
  case UnaryKind::dropout:
    return x;
  }
  return x;
}

bool lower(const Unary &op, Lowering &lowering) {
  Subscripts place = variables(loop_names(lowering.result().rank()));
  return lower_elementwise(lowering, 1, unary_expression(op, lowering.read(0, place)));
}

bool lower(const Binary &op, Lowering &lowering) {
  Subscripts place = variables(loop_names(lowering.result().rank()));
  return lower_elementwise(
      lowering, 2,
      binary_expression(op.kind, operand_at(lowering, 0, place), operand_at(lowering, 1, place)));
}

} // namespace cnnc
