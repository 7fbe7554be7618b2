#include "compiler/lowering/resize_positions.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

/// The coordinate in the input of position p of the result.
double coordinate(const Resize2d &op, size_t axis, double input, int64_t position) {
  const auto p = static_cast<double>(position), output = static_cast<double>(op.sizes[axis]);
  const double scale = op.scales.empty() ? output / input : op.scales[axis];
  switch (op.coordinates) {
  case ResizeCoordinates::half_pixel:
    return (p + 0.5) / scale - 0.5;
  case ResizeCoordinates::half_pixel_symmetric: {
    const double adjustment = output / (scale * input), center = input / 2;
    return center * (1 - adjustment) + (p + 0.5) / scale - 0.5;
  }
  case ResizeCoordinates::pytorch_half_pixel:
    return output > 1 ? (p + 0.5) / scale - 0.5 : 0;
  case ResizeCoordinates::asymmetric:
    return p / scale;
  case ResizeCoordinates::align_corners:
    return output > 1 ? p * (input - 1) / (output - 1) : 0;
  case ResizeCoordinates::tf_crop_and_resize: {
    const double start = op.roi[2 + axis], end = op.roi[6 + axis];
    return output > 1 ? start * (input - 1) + p * (end - start) * (input - 1) / (output - 1)
                      : 0.5 * (start + end) * (input - 1);
  }
  }
  return 0;
}

double rounded(ResizeNearest nearest, double x) {
  switch (nearest) {
  case ResizeNearest::round_prefer_floor:
    return std::ceil(x - 0.5);
  case ResizeNearest::round_prefer_ceil:
    return std::floor(x + 0.5);
  case ResizeNearest::floor:
    return std::floor(x);
  case ResizeNearest::ceil:
    return std::ceil(x);
  }
  return x;
}

/// Weights of the taps around a coordinate with this fraction.
std::vector<double> tap_weights(const Resize2d &op, double fraction) {
  if (op.mode == ResizeMode::nearest)
    return {1};
  if (op.mode == ResizeMode::linear)
    return {1 - fraction, fraction};
  // Cubic convolution (Keys): below a distance of 1, and between 1 and 2.
  const double a = op.cubic_coeff_a;
  auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(1 + fraction), near(fraction), near(1 - fraction), far(2 - fraction)};
}

} // namespace

ResizePositions resize_positions(const Resize2d &op, size_t axis, int64_t input) {
  ResizePositions result;
  result.input = input;
  result.output = op.sizes[axis];
  const size_t taps = tap_weights(op, 0).size();
  result.indices.resize(taps);
  result.weights.resize(taps);
  const bool crops = op.coordinates == ResizeCoordinates::tf_crop_and_resize;
  const auto end = static_cast<double>(input - 1);
  for (int64_t p = 0; p < result.output; ++p) {
    double x = coordinate(op, axis, static_cast<double>(input), p);
    result.outside.push_back(crops && (x < 0 || x > end));
    x = std::clamp(x, -static_cast<double>(input) - 4, 2 * end + 4); // far outside all is the edge
    const double base = op.mode == ResizeMode::nearest ? rounded(op.nearest, x) : std::floor(x);
    std::vector<double> weights = tap_weights(op, x - base);
    const double first = base - (op.mode == ResizeMode::cubic ? 1 : 0);
    double sum = 0;
    for (size_t t = 0; t < taps; ++t) {
      const double at = first + static_cast<double>(t);
      if (op.exclude_outside && op.mode != ResizeMode::nearest && (at < 0 || at > end))
        weights[t] = 0;
      sum += weights[t];
      result.indices[t].push_back(static_cast<int64_t>(std::clamp(at, 0.0, end)));
    }
    for (size_t t = 0; t < taps; ++t)
      result.weights[t].push_back(op.exclude_outside && sum != 0 ? weights[t] / sum : weights[t]);
  }
  // Positions that all hit elements need their first tap alone.
  auto zero = [](const std::vector<double> &list) {
    return std::all_of(list.begin(), list.end(), [](double w) { return w == 0; });
  };
  for (size_t t = taps; t-- > 0 && result.taps() > 1;)
    if (zero(result.weights[t])) {
      result.indices.erase(result.indices.begin() + static_cast<std::ptrdiff_t>(t));
      result.weights.erase(result.weights.begin() + static_cast<std::ptrdiff_t>(t));
    }
  return result;
}

bool ResizePositions::any_outside() const {
  return std::find(outside.begin(), outside.end(), true) != outside.end();
}

bool ResizePositions::copies() const {
  return taps() == 1 &&
         std::all_of(weights[0].begin(), weights[0].end(), [](double w) { return w == 1; });
}

std::optional<int64_t> ResizePositions::repeats() const {
  if (taps() != 1 || output % input != 0)
    return std::nullopt;
  const int64_t times = output / input;
  for (int64_t p = 0; p < output; ++p)
    if (indices[0][static_cast<size_t>(p)] != p / times)
      return std::nullopt;
  return times;
}

std::optional<std::pair<int64_t, int64_t>> ResizePositions::strides() const {
  if (taps() != 1)
    return std::nullopt;
  const int64_t first = indices[0][0], stride = output > 1 ? indices[0][1] - first : 1;
  for (int64_t p = 0; p < output; ++p)
    if (indices[0][static_cast<size_t>(p)] != first + p * stride)
      return std::nullopt;
  return stride > 0 ? std::optional(std::pair(stride, first)) : std::nullopt;
}

} // namespace cnnc
