#include "ir/graph/ops/checks.h"

#include "ir/graph/ops/window.h"

#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace cnnc {

namespace {

/// Strides, pads, dilations and kernels of pools beyond this are taken for mistakes.
constexpr int64_t largest_window = int64_t(1) << 24;

template <size_t N>
bool require_range(InferContext &context, std::string_view attribute,
                   const std::array<int64_t, N> &values, int64_t least) {
  for (int64_t value : values)
    if (value < least || value > largest_window) {
      context.error_at_attribute(
          attribute, fmt::format("'{}' must be between {} and {}, but one of its numbers is {}",
                                 attribute, least, largest_window, value));
      return false;
    }
  return true;
}

std::array<Window, 2> windows(const std::vector<int64_t> &shape, const WindowAttributes &a) {
  std::array<Window, 2> result;
  for (size_t i = 0; i < 2; ++i)
    result[i] = {shape[shape.size() - 2 + i],
                 a.kernel[i],
                 a.stride[i],
                 a.pad[i],
                 a.pad[i + 2],
                 a.dilation[i],
                 a.ceil_mode};
  return result;
}

/// Whether window number `position` touches the input.
bool touches_input(const Window &window, int64_t position) {
  int64_t start = position * window.stride - window.pad_before;
  int64_t skipped = start >= 0 ? 0 : (-start + window.dilation - 1) / window.dilation;
  return skipped < window.kernel && start + skipped * window.dilation < window.input;
}

/// The first of `count` windows that touches padding only; -1 when there is none. A window that
/// starts inside the input touches it; when the taps are not further apart than the input is long,
/// the windows before it touch the input if the first does.
int64_t window_in_padding(const Window &window, int64_t count) {
  bool taps_may_straddle = window.dilation > window.input;
  int64_t before = std::min(count, (window.pad_before + window.stride - 1) / window.stride);
  for (int64_t i = 0; i < (taps_may_straddle ? before : std::min<int64_t>(before, 1)); ++i)
    if (!touches_input(window, i))
      return i;
  return touches_input(window, count - 1) ? -1 : count - 1;
}

void report_misfit(InferContext &context, const WindowAttributes &a,
                   const std::array<Window, 2> &w) {
  std::string kernel = fmt::format("the window of {} x {}", a.kernel[0], a.kernel[1]);
  if (a.dilation != std::array<int64_t, 2>{1, 1})
    kernel += fmt::format(
        " with dilation {} covers {} x {},",
        a.dilation[0] == a.dilation[1] ? std::to_string(a.dilation[0])
                                       : fmt::format("{} x {}", a.dilation[0], a.dilation[1]),
        a.dilation[0] * (a.kernel[0] - 1) + 1, a.dilation[1] * (a.kernel[1] - 1) + 1);
  else
    kernel += " is";
  std::string message =
      fmt::format("{} larger than the {}input of {} x {}", kernel,
                  a.pad == std::array<int64_t, 4>{} ? "" : "padded ",
                  w[0].input + a.pad[0] + a.pad[2], w[1].input + a.pad[1] + a.pad[3]);
  if (a.kernel_given)
    context.error_at_attribute("kernel", message);
  else
    context.error_at_operand(1, message);
}

bool require_windows_on_input(InferContext &context, const std::array<Window, 2> &windows,
                              const std::array<int64_t, 2> &output) {
  for (size_t i = 0; i < 2; ++i) {
    int64_t position = window_in_padding(windows[i], output[i]);
    if (position < 0)
      continue;
    const Window &window = windows[i];
    context.error_at_attribute(
        "pad", fmt::format(
                   "window {} of {} {} covers only padding: the input of {} has a pad of {} "
                   "before and {} after, the window covers {}",
                   position, output[i], i == 0 ? "down" : "across", window.input, window.pad_before,
                   window.pad_after, window.dilation * (window.kernel - 1) + 1));
    return false;
  }
  return true;
}

} // namespace

bool require_possible(InferContext &context, const TensorType &type) {
  for (int64_t dim : type.shape)
    if (dim > largest_dim) {
      context.error(
          fmt::format("the result {} has a dimension above {}", to_string(type), largest_dim));
      return false;
    }
  if (byte_size(type))
    return true;
  context.error(fmt::format("the result {} has too many elements", to_string(type)));
  return false;
}

InferredTypes one_type(TensorType type) {
  std::vector<TensorType> types; // an initializer list would copy it
  types.push_back(std::move(type));
  return types;
}

InferredTypes one_result(InferContext &context, const TensorType &like,
                         std::vector<int64_t> shape) {
  TensorType type{like.dtype, std::move(shape), "", {}};
  if (type.has_symbolic_batch())
    type.batch_name = like.batch_name;
  if (!require_possible(context, type))
    return std::nullopt;
  return one_type(std::move(type));
}

bool require_f32_products(InferContext &context) {
  bool ok = true;
  for (size_t i = 0; i < context.operand_count(); ++i)
    ok = ((i == 1 && is_narrow(context.operand(i).dtype)) || context.require_f32(i)) && ok;
  return ok;
}

bool require_shape(InferContext &context, size_t index, const std::vector<int64_t> &shape,
                   std::string_view what) {
  if (context.shape(index) == shape)
    return true;
  context.error_at_operand(index, fmt::format("{}, must have the shape {}, but is {}", what,
                                              to_string(shape), to_string(context.operand(index))));
  return false;
}

bool require_static(InferContext &context, size_t index, std::string_view what) {
  if (!context.operand(index).has_symbolic_batch())
    return true;
  context.error_at_operand(index, fmt::format("the sizes of {} must be known, but it is {}", what,
                                              to_string(context.operand(index))));
  return false;
}

std::optional<size_t> require_axis(InferContext &context, std::string_view attribute,
                                   int64_t axis) {
  size_t rank = context.operand(0).rank();
  if (std::optional<size_t> normalized = normalized_axis(axis, rank))
    return normalized;
  return context.error_at_attribute(attribute,
                                    fmt::format("axis {} is not one of the {} dimensions of {}",
                                                axis, rank, to_string(context.operand(0))));
}

bool require_not_batch(InferContext &context, std::string_view attribute, size_t axis,
                       std::string_view action) {
  if (axis != 0 || !context.operand(0).has_symbolic_batch())
    return true;
  context.error_at_attribute(
      attribute, fmt::format("dimension 0 of {} is the symbolic batch, which cannot be {}",
                             to_string(context.operand(0)), action));
  return false;
}

std::optional<std::array<int64_t, 2>> window_output(InferContext &context,
                                                    const WindowAttributes &attributes) {
  if ((attributes.kernel_given && !require_range(context, "kernel", attributes.kernel, 1)) ||
      !require_range(context, "stride", attributes.stride, 1) ||
      !require_range(context, "pad", attributes.pad, 0) ||
      !require_range(context, "dilation", attributes.dilation, 1))
    return std::nullopt;
  std::array<Window, 2> both = windows(context.shape(0), attributes);
  std::array<int64_t, 2> output = {};
  for (size_t i = 0; i < 2; ++i) {
    std::optional<int64_t> size = both[i].output();
    if (!size)
      return context.error(fmt::format("the size of the window of {} with dilation {} overflows",
                                       attributes.kernel[i], attributes.dilation[i]));
    output[i] = *size;
  }
  if (output[0] < 1 || output[1] < 1) {
    report_misfit(context, attributes, both);
    return std::nullopt;
  }
  if (attributes.pools && !require_windows_on_input(context, both, output))
    return std::nullopt;
  return output;
}

std::optional<std::array<int64_t, 2>>
transposed_window_output(InferContext &context, const WindowAttributes &a,
                         const std::array<int64_t, 2> &output_padding) {
  if (!require_range(context, "stride", a.stride, 1) || !require_range(context, "pad", a.pad, 0) ||
      !require_range(context, "dilation", a.dilation, 1) ||
      !require_range(context, "output_padding", output_padding, 0))
    return std::nullopt;
  std::array<int64_t, 2> output = {};
  for (size_t i = 0; i < 2; ++i) {
    std::optional<int64_t> starts = checked_mul(context.shape(0)[2 + i] - 1, a.stride[i]);
    std::optional<int64_t> reach = checked_mul(a.dilation[i], a.kernel[i] - 1);
    std::optional<int64_t> size = starts && reach ? checked_add(*starts, *reach) : std::nullopt;
    size = size ? checked_add(*size, 1 + output_padding[i]) : std::nullopt;
    // What overflows is far too large with any pads: one_result() says so.
    output[i] = size ? *size - a.pad[i] - a.pad[2 + i] : largest_dim + 1;
    if (output[i] < 1)
      return context.error_at_attribute(
          "pad", fmt::format("pads of {} and {} leave nothing of the {} {} of the output", a.pad[i],
                             a.pad[2 + i], *size, i == 0 ? "rows" : "columns"));
  }
  return output;
}

bool fits(double value, DType dtype) {
  if (dtype == DType::f32)
    return !std::isfinite(value) || std::isfinite(static_cast<float>(value));
  if (is_float(dtype))
    return true;
  const double beyond =
      std::ldexp(1, static_cast<int>(std::bit_width(static_cast<uint64_t>(largest_of(dtype)))));
  return value >= static_cast<double>(least_of(dtype)) && value < beyond &&
         value == std::floor(value);
}

} // namespace cnnc
