#include "ir/graph/ops/convolution.h"

#include "ir/graph/ops/checks.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

bool check_groups(InferContext &context, int64_t groups) {
  int64_t ic = context.shape(0)[1], oc = context.shape(1)[0];
  std::string problem;
  if (groups < 1)
    problem = fmt::format("'groups' must be at least 1, but is {}", groups);
  else if (ic % groups != 0)
    problem = fmt::format("{} groups do not divide the {} input channels of {}", groups, ic,
                          to_string(context.operand(0)));
  else if (oc % groups != 0)
    problem = fmt::format("{} groups do not divide the {} output channels of the filter {}", groups,
                          oc, to_string(context.operand(1)));
  if (!problem.empty()) {
    context.error_at_attribute("groups", problem);
    return false;
  }
  if (context.shape(1)[1] == ic / groups)
    return true;
  std::string each = groups == 1 ? "" : fmt::format(" in {} groups, {} each", groups, ic / groups);
  context.error_at_operand(1, fmt::format("the filter {} is for {} input channels{}, but the input "
                                          "{} has {}{}",
                                          to_string(context.operand(1)), context.shape(1)[1],
                                          groups == 1 ? "" : " a group",
                                          to_string(context.operand(0)), ic, each));
  return false;
}

bool check_winograd(InferContext &context, const Conv2d &conv) {
  constexpr std::array<int64_t, 2> one = {1, 1};
  if (conv.winograd == 0 || conv.winograd == -1)
    return true;
  const std::vector<int64_t> &filter = context.shape(1);
  std::string problem;
  if (conv.winograd < smallest_winograd || conv.winograd > largest_winograd)
    problem = fmt::format("'winograd' is the size of an output tile, from {} to {}, or -1 for "
                          "never, but is {}",
                          smallest_winograd, largest_winograd, conv.winograd);
  else if (filter[2] != 3 || filter[3] != 3 || conv.stride != one || conv.dilation != one ||
           conv.groups != 1)
    problem = "'winograd' is for 3x3 windows with stride 1, dilation 1 and one group";
  if (!problem.empty())
    context.error_at_attribute("winograd", problem);
  return problem.empty();
}

bool check_padded_rows(InferContext &context, const Conv2d &conv) {
  if (conv.padded_rows != PaddedRows::skip || (conv.groups == 1 && conv.winograd <= 0))
    return true;
  context.error_at_attribute("padded_rows",
                             "rows of padding can be skipped in one group, without Winograd");
  return false;
}

/// All operands f32, the filter perhaps of 16 bits, or those of sums of integers: u8, i8 or i32, a
/// filter of i8 and a bias of i32.
bool require_products(InferContext &context) {
  const DType input = context.operand(0).dtype;
  if (!is_integer(input) || input == DType::i64)
    return require_f32_products(context);
  const bool filter = context.require_dtype(1, DType::i8);
  return (!context.has(2) || context.require_dtype(2, DType::i32)) && filter;
}

/// Of what require_products() has found.
DType sum_type(const InferContext &context) {
  return is_integer(context.operand(0).dtype) ? DType::i32 : DType::f32;
}

bool check_zero_point(InferContext &context, int64_t zero_point) {
  const DType input = context.operand(0).dtype;
  const bool fit =
      is_integer(input) ? fits(static_cast<double>(zero_point), input) : zero_point == 0;
  if (!fit)
    context.error_at_attribute(
        "zero_point", is_integer(input)
                          ? fmt::format("'zero_point' must be a number of {}, the type of the "
                                        "input, but is {}",
                                        name_of(input), zero_point)
                          : std::string("'zero_point' is for inputs of integers"));
  return fit;
}

bool check_algorithm(InferContext &context, const Conv2d &conv) {
  if (sum_type(context) == DType::f32 ||
      (conv.winograd <= 0 && conv.padded_rows != PaddedRows::skip))
    return true;
  context.error_at_attribute(conv.winograd > 0 ? "winograd" : "padded_rows",
                             "convolutions of integers are computed directly, with all rows");
  return false;
}

} // namespace

InferredTypes Conv2d::infer(InferContext &context) const {
  if (!require_products(context) || !context.require_rank(0, 4, "[n, ic, h, w]") ||
      !context.require_rank(1, 4, "[oc, ic / groups, kh, kw]") ||
      !require_static(context, 1, "the filter") || !check_groups(context, groups) ||
      !check_winograd(context, *this) || !check_padded_rows(context, *this) ||
      !check_zero_point(context, zero_point) || !check_algorithm(context, *this))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0), &filter = context.shape(1);
  if (context.has(2) &&
      !require_shape(context, 2, {filter[0]}, "the bias, one number per output channel"))
    return std::nullopt;
  std::optional<std::array<int64_t, 2>> output =
      window_output(context, {{filter[2], filter[3]}, stride, pad, dilation});
  if (!output)
    return std::nullopt;
  TensorType like = context.operand(0);
  like.dtype = sum_type(context);
  return one_result(context, like, {input[0], filter[0], (*output)[0], (*output)[1]});
}

InferredTypes ConvTranspose2d::infer(InferContext &context) const {
  if (!context.require_f32() || !context.require_rank(0, 4, "[n, ic, h, w]") ||
      !context.require_rank(1, 4, "[ic, oc / groups, kh, kw]") ||
      !require_static(context, 1, "the filter"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0), &filter = context.shape(1);
  if (groups < 1 || input[1] % groups != 0)
    return context.error_at_attribute(
        "groups", groups < 1 ? fmt::format("'groups' must be at least 1, but is {}", groups)
                             : fmt::format("{} groups do not divide the {} input channels of {}",
                                           groups, input[1], to_string(context.operand(0))));
  if (filter[0] != input[1])
    return context.error_at_operand(
        1, fmt::format("the filter {} is for {} input channels (its dimension 0), but the input {} "
                       "has {}",
                       to_string(context.operand(1)), filter[0], to_string(context.operand(0)),
                       input[1]));
  int64_t channels = checked_mul(filter[1], groups).value_or(largest_dim + 1);
  if (context.has(2) &&
      !require_shape(context, 2, {channels}, "the bias, one number per output channel"))
    return std::nullopt;
  std::optional<std::array<int64_t, 2>> output = transposed_window_output(
      context, {{filter[2], filter[3]}, stride, pad, dilation}, output_padding);
  if (!output)
    return std::nullopt;
  return one_result(context, context.operand(0), {input[0], channels, (*output)[0], (*output)[1]});
}

InferredTypes Local2d::infer(InferContext &context) const {
  if (!context.require_f32() || !context.require_rank(0, 4, "[n, ic, h, w]") ||
      !context.require_rank(1, 6, "[oh, ow, oc, ic, kh, kw]") ||
      !require_static(context, 1, "the filter"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0), &filter = context.shape(1);
  if (filter[3] != input[1])
    return context.error_at_operand(
        1, fmt::format("the filter {} is for {} input channels, but the input {} has {}",
                       to_string(context.operand(1)), filter[3], to_string(context.operand(0)),
                       input[1]));
  std::optional<std::array<int64_t, 2>> output =
      window_output(context, {{filter[4], filter[5]}, stride, pad, dilation});
  if (!output)
    return std::nullopt;
  auto [oh, ow] = *output;
  if (filter[0] != oh || filter[1] != ow)
    return context.error_at_operand(
        1, fmt::format("the filter {} is for {} x {} positions, but the window of {} x {} takes "
                       "{} x {} on the input {}",
                       to_string(context.operand(1)), filter[0], filter[1], filter[4], filter[5],
                       oh, ow, to_string(context.operand(0))));
  if (context.has(2) && !require_shape(context, 2, {filter[2], oh, ow},
                                       "the bias, one number per output element of an image"))
    return std::nullopt;
  return one_result(context, context.operand(0), {input[0], filter[2], oh, ow});
}

InferredTypes Dense::infer(InferContext &context) const {
  if (!require_products(context) || !context.require_rank(0, 2, "[n, ic]") ||
      !context.require_rank(1, 2, "[oc, ic]") || !require_static(context, 1, "the weight"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0), &weight = context.shape(1);
  if (weight[1] != input[1])
    return context.error_at_operand(
        1, fmt::format("the weight {} is for {} inputs, but the input {} has {}",
                       to_string(context.operand(1)), weight[1], to_string(context.operand(0)),
                       input[1]));
  if (context.has(2) && !require_shape(context, 2, {weight[0]}, "the bias, one number per output"))
    return std::nullopt;
  TensorType like = context.operand(0);
  like.dtype = sum_type(context);
  return one_result(context, like, {input[0], weight[0]});
}

namespace {

/// Every element of `sums` takes all elements of a filter behind its first dimensions.
std::optional<int64_t> macs_of_sums(const TensorType &sums, const TensorType &filter,
                                    size_t dimensions) {
  std::vector<int64_t> loops = sums.shape;
  loops.insert(loops.end(), filter.shape.begin() + static_cast<std::ptrdiff_t>(dimensions),
               filter.shape.end());
  return element_count(loops);
}

} // namespace

std::optional<int64_t> Conv2d::macs(const OperandTypes &types, const TensorType &result) {
  return macs_of_sums(result, *types[1], 1);
}

std::optional<int64_t> ConvTranspose2d::macs(const OperandTypes &types, const TensorType &) {
  return macs_of_sums(*types[0], *types[1], 1);
}

std::optional<int64_t> Local2d::macs(const OperandTypes &types, const TensorType &result) {
  return macs_of_sums(result, *types[1], 3);
}

std::optional<int64_t> Dense::macs(const OperandTypes &types, const TensorType &result) {
  return macs_of_sums(result, *types[1], 1);
}

} // namespace cnnc
