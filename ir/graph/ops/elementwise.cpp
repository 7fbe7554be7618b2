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
  };
  return table;
}

const std::vector<BinaryRow> &binary_table() {
  static const std::vector<BinaryRow> table = {
      {BinaryKind::add, "add", "a + b, with broadcasting"},
      {BinaryKind::sub, "sub", "a - b, with broadcasting"},
      {BinaryKind::mul, "mul", "a * b, with broadcasting"},
      {BinaryKind::div, "div", "a / b, with broadcasting"},
      {BinaryKind::min, "min", "the smaller of a and b, with broadcasting"},
      {BinaryKind::max, "max", "the larger of a and b, with broadcasting"},
      {BinaryKind::prelu, "prelu", "a < 0 ? b * a : a; the slope b broadcasts to the shape of a"},
  };
  return table;
}

const UnaryRow &row_of(UnaryKind kind) { return unary_table()[static_cast<size_t>(kind)]; }
const BinaryRow &row_of(BinaryKind kind) { return binary_table()[static_cast<size_t>(kind)]; }

InferredTypes Unary::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  const UnaryRow &row = row_of(kind);
  for (size_t i = 0; i < row.parameters.size(); ++i)
    if (std::isnan(parameters[i]))
      return context.error_at_attribute(
          row.parameters[i].name, fmt::format("'{}' is not a number", row.parameters[i].name));
  if (kind == UnaryKind::clip && parameters[0] > parameters[1])
    return context.error_at_attribute(
        "min", fmt::format("'min' is above 'max': {} > {}", parameters[0], parameters[1]));
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

std::string describe_misfit(InferContext &context) {
  const TensorType &a = context.operand(0), &b = context.operand(1);
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
  if (!context.require_f32())
    return std::nullopt;
  const TensorType &a = context.operand(0), &b = context.operand(1);
  std::optional<std::vector<int64_t>> shape = broadcast(a.shape, b.shape);
  if (!shape)
    return context.error_at_operand(1, describe_misfit(context));
  if (kind == BinaryKind::prelu && *shape != a.shape)
    return context.error_at_operand(
        1, fmt::format("the slope {} does not broadcast to the shape of the input {}", to_string(b),
                       to_string(a)));
  return one_result(context, a.has_symbolic_batch() ? a : b, std::move(*shape));
}

} // namespace cnnc
