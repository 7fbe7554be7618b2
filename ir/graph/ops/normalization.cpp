#include "ir/graph/ops/normalization.h"

#include "ir/graph/ops/checks.h"

#include <cmath>
#include <fmt/format.h>

namespace cnnc {

std::optional<size_t> normalized_axis(int64_t axis, size_t rank) {
  int64_t count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count)
    return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

InferredTypes BatchNorm::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  const TensorType &input = context.operand(0);
  if (input.rank() < 2)
    return context.error_at_operand(0, fmt::format("this must have at least 2 dimensions, "
                                                   "[n, c, ...], but is {}",
                                                   to_string(input)));
  constexpr std::string_view names[] = {
      "the scale, one number per channel", "the bias, one number per channel",
      "the mean, one number per channel", "the variance, one number per channel"};
  bool ok = true;
  for (size_t i = 0; i < 4; ++i)
    ok = require_shape(context, i + 1, {input.shape[1]}, names[i]) && ok;
  if (!ok)
    return std::nullopt;
  if (!(epsilon >= 0) || std::isinf(epsilon))
    return context.error_at_attribute(
        "epsilon", fmt::format("'epsilon' must be a finite number, 0 or more, but is {}", epsilon));
  return one_result(context, input, input.shape);
}

InferredTypes Softmax::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  std::optional<size_t> normalized = require_axis(context, "axis", axis);
  if (!normalized || !require_not_batch(context, "axis", *normalized, "summed over"))
    return std::nullopt;
  return one_result(context, context.operand(0), context.shape(0));
}

InferredTypes ReduceMean::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  if (axes.empty())
    return context.error_at_attribute("axes", "'axes' names no axis to take the mean over");
  const std::vector<int64_t> &input = context.shape(0);
  std::vector<bool> reduced(input.size(), false);
  for (int64_t axis : axes) {
    std::optional<size_t> normalized = require_axis(context, "axes", axis);
    if (!normalized || !require_not_batch(context, "axes", *normalized, "averaged over"))
      return std::nullopt;
    if (reduced[*normalized])
      return context.error_at_attribute("axes", fmt::format("axis {} is given twice", axis));
    reduced[*normalized] = true;
  }
  std::vector<int64_t> shape;
  for (size_t i = 0; i < input.size(); ++i)
    if (!reduced[i] || keep_dims)
      shape.push_back(reduced[i] ? 1 : input[i]);
  return one_result(context, context.operand(0), std::move(shape));
}

} // namespace cnnc
