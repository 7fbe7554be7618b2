// Element-wise ops as loops over the result:
//
//   for n, c, h, w { result[n, c, h, w] = max(0, input[n, c, h, w]) }
//
// min and max keep a NaN of their second operand: a > b ? a : b is b when either is NaN.
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

Expression abs(Expression x) { return call(Function::abs, {std::move(x)}); }
Expression log(Expression x) { return call(Function::log, {std::move(x)}); }

Expression fma(Expression a, Expression b, Expression c) {
  return call(Function::fma, {std::move(a), std::move(b), std::move(c)});
}

Expression if_negative(const Expression &x, Expression then, Expression otherwise) {
  return call(Function::select_less, {x, number(0), std::move(then), std::move(otherwise)});
}

Expression if_less(const Expression &a, const Expression &b, Expression then,
                   Expression otherwise) {
  return call(Function::select_less, {a, b, std::move(then), std::move(otherwise)});
}

Expression if_equal(const Expression &a, const Expression &b, Expression then,
                    Expression otherwise) {
  return call(Function::select_equal, {a, b, std::move(then), std::move(otherwise)});
}

/// 1 or 0: what a bool is in registers.
Expression is_less(const Expression &a, const Expression &b) {
  return if_less(a, b, number(1), number(0));
}
Expression is_equal(const Expression &a, const Expression &b) {
  return if_equal(a, b, number(1), number(0));
}

/// min(1, max(0, scale * x + offset))
Expression hard_step(const Expression &x, double scale, double offset) {
  return min(number(1), max(number(0), fma(x, number(scale), number(offset))));
}

/// 1 + exp(-x)
Expression one_plus_exp_minus(const Expression &x) {
  return number(1) + exp(call(Function::neg, {x}));
}

/// max(x, 0) + log(1 + e) for e = exp(-|x|). 1 + e = u is rounded; log(u) * e / (u - 1) makes up
/// for it (Kahan), so that the result keeps its digits where e is small.
Expression softplus(const Expression &x) {
  Expression e = exp(call(Function::neg, {abs(x)}));
  Expression u = number(1) + e;
  Expression tail = if_equal(u, number(1), e, log(u) * (e / (u - number(1))));
  return max(number(0), x) + std::move(tail);
}

/// tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2) for e = exp(x), which is 1 in floats from 20 on.
Expression mish(const Expression &x) {
  Expression e = exp(min(number(20), x));
  Expression n = e * (e + number(2));
  return x * (n / (n + number(2)));
}

Expression gelu_tanh(const Expression &x) {
  constexpr double scale = 0.79788456080286535588; // sqrt(2 / pi)
  Expression inner = x * fma(x * x, number(scale * 0.044715), number(scale));
  return number(0.5) * x * (number(1) + call(Function::tanh, {std::move(inner)}));
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
  case BinaryKind::pow:
    return call(Function::pow, {a, b});
  case BinaryKind::equal:
    return is_equal(a, b);
  case BinaryKind::less:
    return is_less(a, b);
  case BinaryKind::less_or_equal:
    return if_less(a, b, number(1), is_equal(a, b));
  case BinaryKind::greater:
    return is_less(b, a);
  case BinaryKind::greater_or_equal:
    return if_less(b, a, number(1), is_equal(a, b));
  case BinaryKind::logical_and:
    return a * b;
  case BinaryKind::logical_or:
    return max(a, b);
  case BinaryKind::logical_xor:
    return abs(a - b);
  }
  return a;
}

/// What a register has to hold when nothing is stored that would convert: the value as an element
/// of the type.
Expression converted(const Expression &x, DType to) {
  auto between = [&](double least, double most) {
    Expression whole = if_negative(x, call(Function::ceil, {x}), call(Function::floor, {x}));
    return if_equal(x, x, max(number(least), min(number(most), std::move(whole))), number(0));
  };
  switch (to) {
  case DType::f32:
  case DType::f64:
    return x;
  case DType::i32:
    return between(-0x1p31, 0x1p31);
  case DType::i64:
    return between(-0x1p63, 0x1p63);
  case DType::u8:
    return between(0, 255);
  case DType::boolean:
    return if_equal(x, number(0), number(0), number(1));
  }
  return x;
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
  case UnaryKind::abs:
    return abs(x);
  case UnaryKind::neg:
    return call(Function::neg, {x});
  case UnaryKind::floor:
    return call(Function::floor, {x});
  case UnaryKind::ceil:
    return call(Function::ceil, {x});
  case UnaryKind::round:
    return call(Function::round, {x});
  case UnaryKind::sign: // 0 and NaN stay
    return if_negative(x, number(-1), if_less(number(0), x, number(1), x));
  case UnaryKind::log:
    return log(x);
  case UnaryKind::erf:
    return call(Function::erf, {x});
  case UnaryKind::reciprocal:
    return number(1) / x;
  case UnaryKind::softplus:
    return softplus(x);
  case UnaryKind::softsign:
    return x / (number(1) + abs(x));
  case UnaryKind::selu:
    return if_negative(x, number(p0 * p1) * (exp(x) - number(1)), number(p1) * x);
  case UnaryKind::celu:
    return if_negative(x, number(p0) * (exp(x / number(p0)) - number(1)), x);
  case UnaryKind::gelu:
    return number(0.5) * x *
           (number(1) + call(Function::erf, {x * number(0.70710678118654752440)}));
  case UnaryKind::gelu_tanh:
    return gelu_tanh(x);
  case UnaryKind::mish:
    return mish(x);
  case UnaryKind::thresholded_relu:
    return if_less(number(p0), x, x, number(0));
  case UnaryKind::logical_not:
    return number(1) - x;
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

bool lower(const Where &, Lowering &lowering) {
  Subscripts place = variables(loop_names(lowering.result().rank()));
  return lower_elementwise(lowering, 3,
                           if_equal(operand_at(lowering, 0, place), number(0),
                                    operand_at(lowering, 2, place),
                                    operand_at(lowering, 1, place)));
}

/// A store to memory converts, and a plain copy keeps all digits of integers.
bool lower(const Cast &cast, Lowering &lowering) {
  Expression x = lowering.read(0, variables(loop_names(lowering.result().rank())));
  return lower_elementwise(lowering, 1,
                           lowering.result_leaves_kernel() ? x : converted(x, cast.dtype()));
}

} // namespace cnnc
