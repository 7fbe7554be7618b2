#include "ir/graph/ops/pool.h"

#include "ir/graph/ops/checks.h"

namespace cnnc {

static InferredTypes infer_pool(InferContext &context, WindowAttributes attributes) {
  if (!context.require_f32() || !context.require_rank(0, 4, "[n, c, h, w]"))
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

InferredTypes AvgPool2d::infer(InferContext &context) const {
  return infer_pool(context, {kernel, stride, pad, {1, 1}, ceil_mode});
}

InferredTypes GlobalAvgPool2d::infer(InferContext &context) const {
  if (!context.require_f32() || !context.require_rank(0, 4, "[n, c, h, w]"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0);
  return one_result(context, context.operand(0), {input[0], input[1], 1, 1});
}

} // namespace cnnc
