#include "compiler/report/made_input.h"

#include "ir/weights/random.h"

#include <algorithm>
#include <cmath>

namespace cnnc::report {

namespace {

/// 1 inside of a shape, 0 outside, and in between at its edge. `distance` is that to the edge,
/// `edge` the width of a pixel.
double covered(double distance, double edge) { return std::clamp(0.5 - distance / edge, 0.0, 1.0); }

/// How bright the drawing is at a point of the unit square: a ring, a bar across it, and light that
/// comes from one side, another one for each channel.
double brightness(double x, double y, double edge, int64_t channel) {
  const double ring = std::abs(std::hypot(x - 0.5, y - 0.5) - 0.3) - 0.06;
  const double bar = std::max(std::abs(x + y - 1) / std::sqrt(2.0) - 0.04, std::abs(x - y) - 0.7);
  const double drawn = std::max(covered(ring, edge), covered(bar, edge));
  const std::array<double, 3> light = {0.1 + 0.2 * x, 0.1 + 0.2 * y, 0.3 - 0.2 * x};
  const std::array<double, 3> ink = {1, 0.75, 0.5};
  const auto which = static_cast<size_t>(channel % 3);
  return std::max(light[which], drawn * ink[which]);
}

} // namespace

Tensor made_input(const TensorType &type) {
  Tensor tensor(type);
  if (type.dtype != DType::f32)
    return tensor;
  const std::span<float> numbers = tensor.mutable_floats();
  if (type.rank() != 4) {
    constexpr int64_t fan_in = 2; // standard deviation 1
    fill_random_he(numbers, fan_in, 0);
    return tensor;
  }
  const int64_t height = type.shape[2], width = type.shape[3];
  const double edge = 1.0 / static_cast<double>(std::max(height, width));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const double x = (static_cast<double>(at % width) + 0.5) / static_cast<double>(width);
    const double y = (static_cast<double>(at / width % height) + 0.5) / static_cast<double>(height);
    numbers[i] = static_cast<float>(brightness(x, y, edge, at / (width * height) % type.shape[1]));
  }
  return tensor;
}

} // namespace cnnc::report
