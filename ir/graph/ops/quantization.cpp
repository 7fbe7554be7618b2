#include "ir/graph/ops/quantization.h"

#include "ir/graph/ops/checks.h"

#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Scale and zero point as attributes, or operands for each entry of the axis, not both; zero points
/// are numbers of the quantised type.
template <class Op> bool check_parameters(InferContext &context, const Op &op, DType quantized) {
  auto at_attribute = [&](const char *name, std::string problem) {
    context.error_at_attribute(name, std::move(problem));
    return false;
  };
  const bool positive = std::isfinite(op.scale) && static_cast<float>(op.scale) > 0 &&
                        std::isfinite(static_cast<float>(op.scale));
  if (!positive)
    return at_attribute("scale", fmt::format("'scale' must be a positive number that f32 has, but "
                                             "is {}",
                                             op.scale));
  if (!fits(static_cast<double>(op.zero_point), quantized))
    return at_attribute("zero_point",
                        fmt::format("'zero_point' must be a number of {}, from {} to {}, but is {}",
                                    name_of(quantized), least_of(quantized), largest_of(quantized),
                                    op.zero_point));
  if (!context.has(1))
    return true;
  if (op.scale != 1)
    return at_attribute("scale", "'scale' is for all elements, but operand 1 gives one for each "
                                 "entry of the axis: leave one of them out");
  std::optional<size_t> axis = require_axis(context, "axis", op.axis);
  if (!axis || !require_not_batch(context, "axis", *axis, "scaled"))
    return false;
  const int64_t entries = context.shape(0)[*axis];
  if (!context.require_f32(1) ||
      !require_shape(context, 1, {entries}, "the scales, one for each entry of the axis"))
    return false;
  if (!context.has(2))
    return true;
  if (op.zero_point != 0)
    return at_attribute("zero_point", "'zero_point' is for all elements, but operand 2 gives one "
                                      "for each entry of the axis: leave one of them out");
  return context.require_dtype(2, quantized) &&
         require_shape(context, 2, {entries}, "the zero points, one for each entry of the axis");
}

} // namespace

InferredTypes Quantize::infer(InferContext &context) const {
  if (!context.require_f32(0) || !check_parameters(context, *this, dtype()))
    return std::nullopt;
  TensorType like = context.operand(0);
  like.dtype = dtype();
  return one_result(context, like, context.shape(0));
}

InferredTypes Dequantize::infer(InferContext &context) const {
  TensorType like = context.operand(0);
  if (!is_integer(like.dtype) || like.dtype == DType::i64)
    return context.error_at_operand(
        0, fmt::format("this must be of type u8, i8, i16 or i32, but is {}", to_string(like)));
  if (!check_parameters(context, *this, like.dtype))
    return std::nullopt;
  like.dtype = DType::f32;
  return one_result(context, like, context.shape(0));
}

InferredTypes Lookup::infer(InferContext &context) const {
  for (size_t i = 0; i < 2; ++i) {
    const TensorType &type = context.operand(i);
    if (!holds_bytes(type))
      return context.error_at_operand(
          i, fmt::format("this must be of type u8 or i8, but is {}", to_string(type)));
  }
  if (!require_shape(context, 1, {entries}, "the table, a result for each number of 8 bits"))
    return std::nullopt;
  if (!context.is_constant(1))
    return context.error_at_operand(
        1, "the table must be a constant: weight, literal, or what is computed of such");
  TensorType like = context.operand(0);
  like.dtype = context.operand(1).dtype;
  return one_result(context, like, context.shape(0));
}

} // namespace cnnc
