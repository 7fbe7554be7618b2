#include "ir/graph/ops/elementwise.h"

#include "ir/graph/ops/checks.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace cnnc {

const std::vector<UnaryRow> &unary_table() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static const std::vector<UnaryRow> table = {
      {UnaryKind::relu, "relu", "max(x, 0)", {}},
      {UnaryKind::leaky_relu, "leaky_relu", "x < 0 ? alpha * x : x", {{"alpha", 0.01}}},
      {UnaryKind::sigmoid, "sigmoid", "1 / (1 + exp(-x))", {}},
      {UnaryKind::tanh, "tanh", "tanh(x)", {}},
      {UnaryKind::clip, "clip", "min(max(x, min), max)", {{"min", -infinity}, {"max", infinity}}},
      {UnaryKind::hard_sigmoid,
       "hard_sigmoid",
       "min(max(alpha * x + beta, 0), 1)",
       {{"alpha", 0.2}, {"beta", 0.5}}},
      {UnaryKind::hard_swish, "hard_swish", "x * min(max(x / 6 + 0.5, 0), 1)", {}},
      {UnaryKind::silu, "silu", "x / (1 + exp(-x))", {}},
      {UnaryKind::elu, "elu", "x < 0 ? alpha * (exp(x) - 1) : x", {{"alpha", 1}}},
      {UnaryKind::exp, "exp", "exp(x)", {}},
      {UnaryKind::sqrt, "sqrt", "sqrt(x)", {}},
      {UnaryKind::dropout, "dropout", "x: nothing is dropped at inference", {{"ratio", 0.5}}},
      {UnaryKind::abs, "abs", "|x|", {}},
      {UnaryKind::neg, "neg", "-x", {}},
      {UnaryKind::floor, "floor", "the largest integer that is not above x", {}},
      {UnaryKind::ceil, "ceil", "the smallest integer that is not below x", {}},
      {UnaryKind::round, "round", "the nearest integer, the even one of two", {}},
      {UnaryKind::sign, "sign", "-1, 0 or 1 as x is below, at or above 0", {}},
      {UnaryKind::log, "log", "the natural logarithm of x", {}},
      {UnaryKind::erf, "erf", "the error function of x", {}},
      {UnaryKind::reciprocal, "reciprocal", "1 / x", {}},
      {UnaryKind::softplus, "softplus", "log(1 + exp(x))", {}},
      {UnaryKind::softsign, "softsign", "x / (1 + |x|)", {}},
      {UnaryKind::selu,
       "selu",
       "gamma * (x < 0 ? alpha * (exp(x) - 1) : x)",
       {{"alpha", 1.67326319217681884765625}, {"gamma", 1.05070102214813232421875}}},
      {UnaryKind::celu, "celu", "x < 0 ? alpha * (exp(x / alpha) - 1) : x", {{"alpha", 1}}},
      {UnaryKind::gelu, "gelu", "x / 2 * (1 + erf(x / sqrt(2)))", {}},
      {UnaryKind::gelu_tanh,
       "gelu_tanh",
       "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))",
       {}},
      {UnaryKind::mish, "mish", "x * tanh(log(1 + exp(x)))", {}},
      {UnaryKind::thresholded_relu, "thresholded_relu", "x > alpha ? x : 0", {{"alpha", 1}}},
      {UnaryKind::logical_not, "not", "not x, of bool", {}, DType::boolean},
  };
  return table;
}

const std::vector<BinaryRow> &binary_table() {
  constexpr DType f32 = DType::f32, boolean = DType::boolean;
  static const std::vector<BinaryRow> table = {
      {BinaryKind::add, "add", "a + b, with broadcasting"},
      {BinaryKind::sub, "sub", "a - b, with broadcasting"},
      {BinaryKind::mul, "mul", "a * b, with broadcasting"},
      {BinaryKind::div, "div", "a / b, with broadcasting"},
      {BinaryKind::min, "min", "the smaller of a and b, with broadcasting"},
      {BinaryKind::max, "max", "the larger of a and b, with broadcasting"},
      {BinaryKind::prelu, "prelu", "a < 0 ? b * a : a; the slope b broadcasts to the shape of a"},
      {BinaryKind::pow, "pow", "a to the power b, with broadcasting"},
      {BinaryKind::equal, "equal", "a == b as bool, with broadcasting", f32, boolean},
      {BinaryKind::less, "less", "a < b as bool, with broadcasting", f32, boolean},
      {BinaryKind::less_or_equal, "less_or_equal", "a <= b as bool, with broadcasting", f32,
       boolean},
      {BinaryKind::greater, "greater", "a > b as bool, with broadcasting", f32, boolean},
      {BinaryKind::greater_or_equal, "greater_or_equal", "a >= b as bool, with broadcasting", f32,
       boolean},
      {BinaryKind::logical_and, "and", "a and b of bool, with broadcasting", boolean, boolean},
      {BinaryKind::logical_or, "or", "a or b of bool, with broadcasting", boolean, boolean},
      {BinaryKind::logical_xor, "xor", "a != b of bool, with broadcasting", boolean, boolean},
  };
  return table;
}

const UnaryRow &row_of(UnaryKind kind) { return unary_table()[static_cast<size_t>(kind)]; }
const BinaryRow &row_of(BinaryKind kind) { return binary_table()[static_cast<size_t>(kind)]; }

InferredTypes Unary::infer(InferContext &context) const {
  const UnaryRow &row = row_of(kind);
  if (!context.require_dtype(0, row.dtype))
    return std::nullopt;
  for (size_t i = 0; i < row.parameters.size(); ++i)
    if (std::isnan(parameters[i]))
      return context.error_at_attribute(
          row.parameters[i].name, fmt::format("'{}' is not a number", row.parameters[i].name));
  if (kind == UnaryKind::clip && parameters[0] > parameters[1])
    return context.error_at_attribute(
        "min", fmt::format("'min' is above 'max': {} > {}", parameters[0], parameters[1]));
  if (kind == UnaryKind::celu && parameters[0] == 0)
    return context.error_at_attribute("alpha", "'alpha' must not be 0");
  if (kind == UnaryKind::dropout && (parameters[0] < 0 || parameters[0] > 1))
    return context.error_at_attribute(
        "ratio", fmt::format("'ratio' must be between 0 and 1, but is {}", parameters[0]));
  return one_result(context, context.operand(0), context.shape(0));
}

namespace {

/// One dimension of a broadcast; empty when the two do not fit.
std::optional<int64_t> broadcast_dim(int64_t a, int64_t b) {
  if (a == b || b == 1)
    return a;
  return a == 1 ? std::optional(b) : std::nullopt;
}

std::string describe_misfit(const TensorType &a, const TensorType &b) {
  std::string both = fmt::format("{} and {} do not broadcast", to_string(a), to_string(b));
  for (size_t i = 1; i <= std::min(a.rank(), b.rank()); ++i) {
    int64_t x = a.shape[a.rank() - i], y = b.shape[b.rank() - i];
    if (broadcast_dim(x, y))
      continue;
    if (x == symbolic_dim || y == symbolic_dim)
      return fmt::format("{}: the symbolic batch meets {}, and only itself or 1 would do", both,
                         x == symbolic_dim ? y : x);
    return fmt::format("{}: {} meets {}, counted from the end in dimension {}", both, x, y, i);
  }
  return both + ": the symbolic batch would not stay the first dimension";
}

} // namespace

std::optional<std::vector<int64_t>> broadcast(const std::vector<int64_t> &a,
                                              const std::vector<int64_t> &b) {
  size_t rank = std::max(a.size(), b.size());
  std::vector<int64_t> result(rank);
  for (size_t i = 1; i <= rank; ++i) { // from the last dimension
    std::optional<int64_t> dim =
        broadcast_dim(i <= a.size() ? a[a.size() - i] : 1, i <= b.size() ? b[b.size() - i] : 1);
    if (!dim || (*dim == symbolic_dim && i != rank))
      return std::nullopt;
    result[rank - i] = *dim;
  }
  return result;
}

InferredTypes Binary::infer(InferContext &context) const {
  const BinaryRow &row = row_of(kind);
  bool typed = context.require_dtype(0, row.operands);
  if (!context.require_dtype(1, row.operands) || !typed)
    return std::nullopt;
  const TensorType &a = context.operand(0), &b = context.operand(1);
  std::optional<std::vector<int64_t>> shape = broadcast(a.shape, b.shape);
  if (!shape)
    return context.error_at_operand(1, describe_misfit(a, b));
  if (kind == BinaryKind::prelu && *shape != a.shape)
    return context.error_at_operand(
        1, fmt::format("the slope {} does not broadcast to the shape of the input {}", to_string(b),
                       to_string(a)));
  TensorType like = a.has_symbolic_batch() ? a : b;
  like.dtype = row.result;
  return one_result(context, like, std::move(*shape));
}

InferredTypes Where::infer(InferContext &context) const {
  bool typed = context.require_dtype(0, DType::boolean);
  for (size_t i = 1; i < 3; ++i)
    typed = context.require_dtype(i, DType::f32) && typed;
  if (!typed)
    return std::nullopt;
  TensorType all = context.operand(1);
  for (size_t i : {0, 2}) {
    const TensorType &next = context.operand(i);
    std::optional<std::vector<int64_t>> shape = broadcast(all.shape, next.shape);
    if (!shape)
      return context.error_at_operand(i, describe_misfit(all, next));
    if (!all.has_symbolic_batch())
      all.batch_name = next.batch_name;
    all.shape = std::move(*shape);
  }
  std::vector<int64_t> shape = all.shape;
  return one_result(context, all, std::move(shape));
}

DType Cast::dtype() const {
  switch (to) {
  case CastType::f32:
    return DType::f32;
  case CastType::i32:
    return DType::i32;
  case CastType::i64:
    return DType::i64;
  case CastType::u8:
    return DType::u8;
  case CastType::boolean:
    return DType::boolean;
  }
  return DType::f32;
}

InferredTypes Cast::infer(InferContext &context) const {
  TensorType like = context.operand(0);
  like.dtype = dtype();
  return one_result(context, like, context.shape(0));
}

} // namespace cnnc
