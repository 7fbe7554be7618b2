#include "ir/graph/ops/pool.h"

#include "ir/graph/ops/checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

static InferredTypes infer_pool(InferContext &context, WindowAttributes attributes) {
  if (!(holds_bytes(context.operand(0)) || context.require_f32()) ||
      !context.require_rank(0, 4, "[n, c, h, w]"))
    return std::nullopt;
  attributes.pools = true;
  attributes.kernel_given = true;
  std::optional<std::array<int64_t, 2>> output = window_output(context, attributes);
  if (!output)
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0);
  return one_result(context, context.operand(0), {input[0], input[1], (*output)[0], (*output)[1]});
}

InferredTypes MaxPool2d::infer(InferContext &context) const {
  return infer_pool(context, {kernel, stride, pad, dilation, ceil_mode});
}

InferredTypes MaxPool2dIndices::infer_window_positions(InferContext &context,
                                                       InferredTypes types) const {
  if (column_major)
    return context.error_at_attribute("column_major",
                                      "positions in the window are counted row by row");
  if (kernel[0] * kernel[1] > 256)
    return context.error_at_attribute(
        "positions",
        fmt::format("a window of {} x {} has more than 256 elements", kernel[0], kernel[1]));
  types->push_back(types->front());
  types->back().dtype = DType::u8;
  return types;
}

InferredTypes MaxPool2dIndices::infer(InferContext &context) const {
  constexpr int64_t most = int64_t(1) << 24;
  if (!context.require_f32())
    return std::nullopt;
  InferredTypes types = infer_pool(context, {kernel, stride, pad, dilation, ceil_mode});
  if (types && positions == PoolPositions::window)
    return infer_window_positions(context, std::move(types));
  if (!types || !require_static(context, 0, "what is counted"))
    return std::nullopt;
  if (element_count(context.shape(0)).value_or(most + 1) > most)
    return context.error_at_operand(
        0, fmt::format("indices are exact up to {}, and {} has more elements", most,
                       to_string(context.operand(0))));
  types->push_back(types->front());
  types->back().dtype = DType::i64;
  return types;
}

InferredTypes MaxUnpool2d::infer(InferContext &context) const {
  if (!context.require_rank(0, 4, "[n, c, h, w]") || !require_static(context, 0, "the input") ||
      !context.require_f32(0))
    return std::nullopt;
  if (!require_shape(context, 1, context.shape(0), "the indices, one for each element"))
    return std::nullopt;
  if (context.operand(1).dtype != DType::i64)
    return context.error_at_operand(1, fmt::format("indices must be of type i64, but this is {}",
                                                   to_string(context.operand(1))));
  bool possible = shape.size() == 4 && shape[0] == context.shape(0)[0] &&
                  shape[1] == context.shape(0)[1] && shape[2] >= 1 && shape[3] >= 1;
  if (!possible)
    return context.error_at_attribute(
        "shape", fmt::format("[{}] is not [{}, {}, h, w], of the images and channels of {}",
                             fmt::join(shape, ", "), context.shape(0)[0], context.shape(0)[1],
                             to_string(context.operand(0))));
  return one_result(context, context.operand(0), shape);
}

/// A mean of integers is none.
static InferredTypes as_floats(InferredTypes types) {
  if (types)
    types->front().dtype = DType::f32;
  return types;
}

InferredTypes AvgPool2d::infer(InferContext &context) const {
  return as_floats(infer_pool(context, {kernel, stride, pad, {1, 1}, ceil_mode}));
}

InferredTypes GlobalAvgPool2d::infer(InferContext &context) const {
  if (!(holds_bytes(context.operand(0)) || context.require_f32()) ||
      !context.require_rank(0, 4, "[n, c, h, w]"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0);
  return as_floats(one_result(context, context.operand(0), {input[0], input[1], 1, 1}));
}

} // namespace cnnc
