#include "ir/graph/ops/elementwise.h"

#include "ir/graph/ops/checks.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

size_t UnaryRow::parameter_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(parameters, [](const UnaryParameter &p) { return !p.name.empty(); }));
}

InferredTypes Unary::infer(InferContext &context) const {
  if (!context.require_dtype(0, row->dtype))
    return std::nullopt;
  for (size_t i = 0; i < row->parameter_count(); ++i)
    if (std::isnan(parameters[i]))
      return context.error_at_attribute(
          row->parameters[i].name, fmt::format("'{}' is not a number", row->parameters[i].name));
  if (row->check && !row->check(context, parameters))
    return std::nullopt;
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
  bool typed = context.require_dtype(0, row->operands);
  if (!context.require_dtype(1, row->operands) || !typed)
    return std::nullopt;
  const TensorType &a = context.operand(0), &b = context.operand(1);
  std::optional<std::vector<int64_t>> shape = broadcast(a.shape, b.shape);
  if (!shape)
    return context.error_at_operand(1, describe_misfit(a, b));
  if (row->keeps_shape_of_a && *shape != a.shape)
    return context.error_at_operand(
        1, fmt::format("the slope {} does not broadcast to the shape of the input {}", to_string(b),
                       to_string(a)));
  TensorType like = a.has_symbolic_batch() ? a : b;
  like.dtype = row->result;
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

DType Cast::dtype() const { return *dtype_named(Words<CastType>::words[static_cast<size_t>(to)]); }

InferredTypes Cast::infer(InferContext &context) const {
  TensorType like = context.operand(0);
  like.dtype = dtype();
  return one_result(context, like, context.shape(0));
}

} // namespace cnnc
