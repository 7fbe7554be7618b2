#include "ir/graph/ops/resize.h"

#include "ir/graph/ops/checks.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Tables of positions are part of the code.
constexpr int64_t largest_side = 1 << 16;
constexpr double most_taps = 1 << 20; // of all positions of an axis

bool finite(const std::vector<double> &numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
}

} // namespace

InferredTypes Resize2d::infer(InferContext &context) const {
  const bool integers = holds_bytes(context.operand(0));
  if (!context.require_rank(0, 4, "[n, c, h, w]") || (!integers && !context.require_f32()))
    return std::nullopt;
  for (int64_t size : sizes)
    if (size < 1 || size > largest_side)
      return context.error_at_attribute(
          "sizes", fmt::format("a size must be between 1 and {}, but is {}", largest_side, size));
  bool positive = std::all_of(scales.begin(), scales.end(), [](double x) { return x > 0; });
  if (!scales.empty() && (scales.size() != 2 || !positive || !finite(scales)))
    return context.error_at_attribute(
        "scales", "'scales' are those of height and width, two positive numbers, or none");
  const bool crops = coordinates == ResizeCoordinates::tf_crop_and_resize;
  if ((crops && roi.size() != 8) || (!crops && !roi.empty()) || !finite(roi))
    return context.error_at_attribute(
        "roi", crops
                   ? "tf_crop_and_resize needs a 'roi' of 8 numbers: the starts of n, c, h and w, "
                     "then their ends"
                   : "only tf_crop_and_resize has a 'roi'");
  if (!std::isfinite(cubic_coeff_a))
    return context.error_at_attribute("cubic_coeff_a", "'cubic_coeff_a' is not a finite number");
  if (integers && (crops || antialias))
    return context.error_at_attribute(
        crops ? "coordinates" : "antialias",
        fmt::format("numbers of 8 bits are resized without {}: dequantize them before, or cast "
                    "them to f32",
                    crops ? "tf_crop_and_resize" : "antialiasing"));
  for (size_t i = 2; i < 4; ++i)
    if (context.shape(0)[i] > int64_t(1) << 30)
      return context.error_at_operand(
          0, fmt::format("{} is too large to be resized", to_string(context.operand(0))));
  if (antialias && (mode == ResizeMode::nearest || crops))
    return context.error_at_attribute(
        "antialias", "only modes linear and cubic, without tf_crop_and_resize, can be antialiased");
  for (size_t i = 0; antialias && i < 2; ++i) {
    const double reach = mode == ResizeMode::linear ? 1 : 2;
    const double taps =
        2 * reach / scale(i, context.shape(0)[2 + i]) * static_cast<double>(sizes[i]);
    if (!(taps <= most_taps))
      return context.error_at_attribute(
          "antialias", fmt::format("the new {} would be made of {:.6g} products, more than {:.0f}: "
                                   "resize in several steps",
                                   i == 0 ? "height" : "width", taps, most_taps));
  }
  std::vector<int64_t> shape = context.shape(0);
  shape[2] = sizes[0];
  shape[3] = sizes[1];
  TensorType like = context.operand(0);
  if (mode != ResizeMode::nearest)
    like.dtype = DType::f32;
  return one_result(context, like, std::move(shape));
}

} // namespace cnnc
