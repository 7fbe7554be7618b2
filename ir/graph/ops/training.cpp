#include "ir/graph/ops/training.h"

#include "ir/graph/ops/checks.h"
#include "ir/graph/ops/resize.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// Reports unless `gradient` has no more rows and columns than there are windows on `input`.
bool check_windows(InferContext &context, const TensorType &input, size_t gradient,
                   const WindowAttributes &attributes) {
  InferContext forward = context.with_operand(0, input);
  const std::optional<std::array<int64_t, 2>> most = window_output(forward, attributes);
  if (!most)
    return false;
  const std::vector<int64_t> &shape = context.shape(gradient);
  if (shape[2] <= (*most)[0] && shape[3] <= (*most)[1])
    return true;
  context.error_at_operand(
      gradient, fmt::format("the windows take {} x {} positions, but the gradient {} has more",
                            (*most)[0], (*most)[1], to_string(context.operand(gradient))));
  return false;
}

} // namespace

InferredTypes Conv2dFilterGradient::infer(InferContext &context) const {
  if (!context.require_f32() || !context.require_rank(0, 4, "[n, ic, h, w]") ||
      !context.require_rank(1, 4, "[n, oc, oh, ow]") ||
      !require_static(context, 0, "what is summed over") ||
      !require_static(context, 1, "what is summed over"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0), &gradient = context.shape(1);
  if (gradient[0] != input[0])
    return context.error_at_operand(
        1, fmt::format("the gradient is of {} images, the input of {}", gradient[0], input[0]));
  if (groups < 1 || input[1] % groups != 0 || gradient[1] % groups != 0)
    return context.error_at_attribute(
        "groups", groups < 1 ? fmt::format("'groups' must be at least 1, but is {}", groups)
                             : fmt::format("{} groups do not divide {} and {} channels", groups,
                                           input[1], gradient[1]));
  WindowAttributes window{kernel, stride, pad, dilation};
  window.kernel_given = true;
  if (!check_windows(context, context.operand(0), 1, window))
    return std::nullopt;
  return one_result(context, context.operand(0),
                    {gradient[1], input[1] / groups, kernel[0], kernel[1]});
}

std::optional<int64_t> Conv2dFilterGradient::macs(const OperandTypes &types,
                                                  const TensorType &result) {
  std::vector<int64_t> loops = result.shape;
  for (size_t i : {0, 2, 3})
    loops.push_back(types[1]->shape[i]);
  return element_count(loops);
}

InferredTypes MaxPool2dGradient::infer(InferContext &context) const {
  if (!context.require_f32(0) || !context.require_rank(0, 4, "[n, c, oh, ow]") ||
      !context.require_dtype(1, DType::u8) ||
      !require_shape(context, 1, context.shape(0), "the positions, one for each element"))
    return std::nullopt;
  const std::vector<int64_t> &gradient = context.shape(0);
  for (size_t i = 0; i < 2; ++i) {
    const bool positive = sizes[i] >= 1 && sizes[i] <= largest_dim;
    if (!positive)
      return context.error_at_attribute(
          "sizes", fmt::format("'sizes' must be positive, but one of them is {}", sizes[i]));
  }
  TensorType whole = context.operand(0);
  whole.shape = {gradient[0], gradient[1], sizes[0], sizes[1]};
  WindowAttributes window{kernel, stride, pad, dilation, true};
  window.pools = window.kernel_given = true;
  if (!check_windows(context, whole, 0, window))
    return std::nullopt;
  return one_result(context, context.operand(0), whole.shape);
}

InferredTypes ScatterAdd::infer(InferContext &context) const {
  if (!context.require_f32(0))
    return std::nullopt;
  const TensorType &updates = context.operand(0), &indices = context.operand(1);
  if (indices.dtype != DType::i32 && indices.dtype != DType::i64)
    return context.error_at_operand(
        1, fmt::format("indices must be of type i32 or i64, but this is {}", to_string(indices)));
  if (!require_static(context, 1, "indices"))
    return std::nullopt;
  const auto rank = static_cast<int64_t>(updates.rank()),
             index_rank = static_cast<int64_t>(indices.rank());
  const int64_t result_rank = rank - index_rank + 1;
  const std::optional<size_t> at =
      result_rank < 1 ? std::nullopt : normalized_axis(axis, static_cast<size_t>(result_rank));
  if (!at)
    return context.error_at_attribute(
        "axis", fmt::format("axis {} is none of a result of {} dimensions", axis, result_rank));
  for (size_t i = 0; i < indices.rank(); ++i)
    if (updates.shape[*at + i] != indices.shape[i])
      return context.error_at_operand(
          1, fmt::format("the indices {} are no dimensions of {} from axis {} on",
                         to_string(indices), to_string(updates), *at));
  if (*at == 0 && updates.has_symbolic_batch())
    return context.error_at_attribute("axis", "the batch cannot be scattered");
  if (size < 1 || size > largest_dim)
    return context.error_at_attribute("size",
                                      fmt::format("'size' must be positive, but is {}", size));
  std::vector<int64_t> shape(updates.shape.begin(),
                             updates.shape.begin() + static_cast<std::ptrdiff_t>(*at));
  shape.push_back(size);
  shape.insert(shape.end(),
               updates.shape.begin() + static_cast<std::ptrdiff_t>(*at + indices.rank()),
               updates.shape.end());
  return one_result(context, updates, shape);
}

namespace {

/// A scalar, where all operands of a loss are static.
InferredTypes one_number(InferContext &context) {
  for (size_t i = 0; i < context.operand_count(); ++i)
    if (!require_static(context, i, "what a loss is the mean of"))
      return std::nullopt;
  TensorType scalar;
  return one_type(scalar);
}

InferredTypes infer_pair(InferContext &context, std::string_view what) {
  if (!context.require_f32() || !require_shape(context, 1, context.shape(0), what))
    return std::nullopt;
  return one_number(context);
}

} // namespace

InferredTypes CrossEntropy::infer(InferContext &context) const {
  if (!context.require_f32(0) || !context.require_rank(0, 2, "[n, classes]") ||
      !context.require_dtype(1, DType::i64) ||
      !require_shape(context, 1, {context.shape(0)[0]}, "the labels, one for each image"))
    return std::nullopt;
  if (!(label_smoothing >= 0 && label_smoothing < 1))
    return context.error_at_attribute(
        "label_smoothing",
        fmt::format("'label_smoothing' must be at least 0 and below 1, but is {}",
                    label_smoothing));
  return one_number(context);
}

InferredTypes MeanSquaredError::infer(InferContext &context) const {
  return infer_pair(context, "the other operand, of the same shape");
}

InferredTypes BinaryCrossEntropy::infer(InferContext &context) const {
  return infer_pair(context, "the targets, one for each logit");
}

InferredTypes RandomUniform::infer(InferContext &context) const {
  if (!context.require_f32(0) || !require_static(context, 0, "the counter"))
    return std::nullopt;
  if (element_count(context.shape(0)) != 1)
    return context.error_at_operand(
        0, fmt::format("the counter is one number, but this is {}", to_string(context.operand(0))));
  constexpr int64_t most = int64_t(1) << 32; // elements that the generator counts
  const bool possible = std::ranges::all_of(shape, [](int64_t dim) { return dim >= 1; }) &&
                        element_count(shape).value_or(most + 1) <= most;
  if (!possible)
    return context.error_at_attribute(
        "shape",
        fmt::format("[{}] is no shape of at most {} elements", fmt::join(shape, ", "), most));
  if (seed < 0 || seed >= most)
    return context.error_at_attribute(
        "seed", fmt::format("'seed' must be between 0 and {}, but is {}", most - 1, seed));
  return one_result(context, context.operand(0), shape);
}

Resize2d Resize2dGradient::forward(std::array<int64_t, 2> sizes) const {
  Resize2d result;
  result.sizes = sizes;
  result.scales = scales;
  result.mode = mode;
  result.coordinates = coordinates;
  result.nearest = nearest;
  result.cubic_coeff_a = cubic_coeff_a;
  result.exclude_outside = exclude_outside;
  result.antialias = antialias;
  result.roi = roi;
  return result;
}

InferredTypes Resize2dGradient::infer(InferContext &context) const {
  if (!context.require_f32() || !context.require_rank(0, 4, "[n, c, oh, ow]"))
    return std::nullopt;
  const std::vector<int64_t> &gradient = context.shape(0);
  for (int64_t size : input)
    if (size < 1 || size > largest_dim)
      return context.error_at_attribute(
          "input", fmt::format("'input' must be positive, but one of its sizes is {}", size));
  // What holds of the resize2d holds of its gradient.
  TensorType resized = context.operand(0);
  resized.shape = {gradient[0], gradient[1], input[0], input[1]};
  InferContext again = context.with_operand(0, resized);
  if (!forward({gradient[2], gradient[3]}).infer(again))
    return std::nullopt;
  return one_result(context, context.operand(0), resized.shape);
}

} // namespace cnnc
