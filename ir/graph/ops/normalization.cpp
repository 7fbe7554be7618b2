#include "ir/graph/ops/normalization.h"

#include "ir/graph/ops/checks.h"
#include "ir/graph/ops/elementwise.h"

#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

bool require_epsilon(InferContext &context, double epsilon) {
  if (epsilon >= 0 && !std::isinf(epsilon))
    return true;
  context.error_at_attribute(
      "epsilon", fmt::format("'epsilon' must be a finite number, 0 or more, but is {}", epsilon));
  return false;
}

InferredTypes infer_softmax(InferContext &context, int64_t axis) {
  if (!context.require_f32())
    return std::nullopt;
  std::optional<size_t> normalized = require_axis(context, "axis", axis);
  if (!normalized || !require_not_batch(context, "axis", *normalized, "summed over"))
    return std::nullopt;
  return one_result(context, context.operand(0), context.shape(0));
}

/// Reports unless operand 0 is [n, c, ...] and scale and bias, if given, are [c].
bool require_channels(InferContext &context, size_t least_rank) {
  const TensorType &input = context.operand(0);
  if (input.rank() < least_rank) {
    context.error_at_operand(0, fmt::format("this must have at least {} dimensions, [n, c, ...], "
                                            "but is {}",
                                            least_rank, to_string(input)));
    return false;
  }
  bool ok = true;
  if (context.has(1))
    ok = require_shape(context, 1, {input.shape[1]}, "the scale, one number per channel");
  if (context.has(2))
    ok = require_shape(context, 2, {input.shape[1]}, "the bias, one number per channel") && ok;
  return ok;
}

} // namespace

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
  if (!require_epsilon(context, epsilon))
    return std::nullopt;
  InferredTypes types = one_result(context, input, input.shape);
  if (!types || statistics == Statistics::given)
    return types;
  if (!require_static(context, 0, "what statistics are of"))
    return std::nullopt;
  if (!(momentum >= 0 && momentum <= 1))
    return context.error_at_attribute(
        "momentum", fmt::format("'momentum' must be between 0 and 1, but is {}", momentum));
  if (element_count(input.shape).value_or(0) < 2 * input.shape[1])
    return context.error_at_operand(
        0, fmt::format("{} has one element per channel, which have no variance", to_string(input)));
  for (size_t i : {3, 4}) {
    types->push_back(context.operand(i));
    types->back().layout = {};
  }
  return types;
}

InferredTypes Softmax::infer(InferContext &context) const { return infer_softmax(context, axis); }

InferredTypes LogSoftmax::infer(InferContext &context) const {
  return infer_softmax(context, axis);
}

InferredTypes Hardmax::infer(InferContext &context) const { return infer_softmax(context, axis); }

InferredTypes LayerNorm::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  std::optional<size_t> first = require_axis(context, "axis", axis);
  if (!first || !require_not_batch(context, "axis", *first, "averaged over") ||
      !require_epsilon(context, epsilon))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0);
  const std::vector<int64_t> dims(input.begin() + static_cast<std::ptrdiff_t>(*first), input.end());
  for (size_t i = 1; i < 3 && context.has(i); ++i)
    if (broadcast(dims, context.shape(i)) != dims)
      return context.error_at_operand(
          i,
          fmt::format("the {} {} does not broadcast to the dimensions {} that are normalized",
                      i == 1 ? "scale" : "bias", to_string(context.operand(i)), to_string(dims)));
  return one_result(context, context.operand(0), input);
}

InferredTypes InstanceNorm::infer(InferContext &context) const {
  if (!context.require_f32() || !require_channels(context, 3) || !require_epsilon(context, epsilon))
    return std::nullopt;
  return one_result(context, context.operand(0), context.shape(0));
}

InferredTypes GroupNorm::infer(InferContext &context) const {
  if (!context.require_f32() || !require_channels(context, 2) || !require_epsilon(context, epsilon))
    return std::nullopt;
  if (groups < 1 || context.shape(0)[1] % groups != 0)
    return context.error_at_attribute(
        "groups", fmt::format("'groups' must divide the {} channels of {}, but is {}",
                              context.shape(0)[1], to_string(context.operand(0)), groups));
  return one_result(context, context.operand(0), context.shape(0));
}

InferredTypes Lrn::infer(InferContext &context) const {
  if (!context.require_f32() || !require_channels(context, 2))
    return std::nullopt;
  constexpr int64_t largest = int64_t(1) << 24;
  if (size < 1 || size > largest)
    return context.error_at_attribute(
        "size", fmt::format("'size' must be between 1 and {}, but is {}", largest, size));
  const std::pair<const char *, double> numbers[] = {
      {"alpha", alpha}, {"beta", beta}, {"bias", bias}};
  for (const auto &[attribute, number] : numbers)
    if (!std::isfinite(number))
      return context.error_at_attribute(
          attribute, fmt::format("'{}' must be finite, but is {}", attribute, number));
  return one_result(context, context.operand(0), context.shape(0));
}

} // namespace cnnc
