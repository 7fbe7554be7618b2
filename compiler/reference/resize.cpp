// Resize as ONNX defines it: each element of the result from its coordinates in the input, one
// dimension after the other, in double.
#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"

#include <algorithm>
#include <cmath>

namespace cnnc::reference {

namespace {

using Coordinates = ResizeCoordinates;

/// x_original of the specification, from x_resized.
double original(const Resize2d &op, size_t axis, int64_t length_original, int64_t x_resized) {
  double length_resized = double(op.sizes[axis]), length = double(length_original);
  double scale = op.scales.empty() ? length_resized / length : op.scales[axis];
  double x = double(x_resized);
  if (op.coordinates == Coordinates::asymmetric)
    return x / scale;
  if (op.coordinates == Coordinates::align_corners)
    return length_resized == 1 ? 0 : x * (length - 1) / (length_resized - 1);
  if (op.coordinates == Coordinates::pytorch_half_pixel && length_resized <= 1)
    return 0;
  if (op.coordinates == Coordinates::tf_crop_and_resize) {
    double start = op.roi[2 + axis], end = op.roi[6 + axis];
    if (length_resized <= 1)
      return 0.5 * (start + end) * (length - 1);
    return start * (length - 1) + x * (end - start) * (length - 1) / (length_resized - 1);
  }
  double half_pixel = (x + 0.5) / scale - 0.5;
  if (op.coordinates != Coordinates::half_pixel_symmetric)
    return half_pixel;
  double adjustment = length_resized / (scale * length);
  return length / 2 * (1 - adjustment) + half_pixel;
}

int64_t nearest(ResizeNearest mode, double x) {
  double below = std::floor(x), fraction = x - below;
  bool up = mode == ResizeNearest::ceil                ? fraction > 0
            : mode == ResizeNearest::floor             ? false
            : mode == ResizeNearest::round_prefer_ceil ? fraction >= 0.5
                                                       : fraction > 0.5;
  return int64_t(below) + (up ? 1 : 0);
}

/// The kernel of cubic convolution at a distance.
double cubic(double a, double d) {
  d = std::abs(d);
  if (d <= 1)
    return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0;
}

struct Tap {
  int64_t index;
  double weight;
};

/// What coordinate x is made of.
std::vector<Tap> taps(const Resize2d &op, double x, int64_t length) {
  std::vector<Tap> result;
  auto floor = int64_t(std::floor(x));
  if (op.mode == ResizeMode::nearest)
    result = {{nearest(op.nearest, x), 1}};
  else if (op.mode == ResizeMode::linear)
    for (int64_t at : {floor, floor + 1})
      result.push_back({at, 1 - std::abs(x - double(at))});
  else
    for (int64_t at = floor - 1; at <= floor + 2; ++at)
      result.push_back({at, cubic(op.cubic_coeff_a, x - double(at))});
  double sum = 0;
  for (Tap &tap : result) {
    bool outside = tap.index < 0 || tap.index >= length;
    if (outside && op.exclude_outside && op.mode != ResizeMode::nearest)
      tap.weight = 0;
    sum += tap.weight;
    tap.index = std::clamp<int64_t>(tap.index, 0, length - 1);
  }
  if (op.exclude_outside && sum != 0)
    for (Tap &tap : result)
      tap.weight /= sum;
  return result;
}

} // namespace

Tensors compute(const Resize2d &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const std::vector<int64_t> &shape = operands[0]->shape();
  std::span<const float> input = operands[0]->floats();
  std::span<float> output = result.mutable_floats();
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    double coordinates[2];
    bool outside = false;
    for (size_t i = 0; i < 2; ++i) {
      coordinates[i] = original(op, i, shape[2 + i], index[2 + i]);
      outside = outside || coordinates[i] < 0 || coordinates[i] > double(shape[2 + i] - 1);
    }
    if (outside && op.coordinates == Coordinates::tf_crop_and_resize) {
      output[position] = float(op.extrapolation_value);
      return;
    }
    double sum = 0;
    int64_t plane = (index[0] * shape[1] + index[1]) * shape[2];
    for (const Tap &row : taps(op, coordinates[0], shape[2]))
      for (const Tap &column : taps(op, coordinates[1], shape[3]))
        sum += row.weight * column.weight *
               double(input[(plane + row.index) * shape[3] + column.index]);
    output[position] = float(sum);
  });
  return {result};
}

} // namespace cnnc::reference
