#include "compiler/reference/compute.h"
#include "compiler/reference/floats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cnnc::reference {

namespace {

/// result[plane, y, x] = function(plane of the input, y, x) for every plane of [n, c, h, w].
template <class Function>
Tensors for_each_output(const Tensor &input, const TensorType &type, Function function) {
  Tensor result(type);
  int64_t plane_size = input.shape()[2] * input.shape()[3];
  int64_t planes = result.shape()[0] * result.shape()[1];
  int64_t oh = result.shape()[2], ow = result.shape()[3];
  const Floats elements(input);
  with_element(type.dtype, [&]<class T>(T) {
    std::span<T> output = result.mutable_elements<T>();
    for (int64_t p = 0; p < planes; ++p)
      for (int64_t y = 0; y < oh; ++y)
        for (int64_t x = 0; x < ow; ++x)
          output[(p * oh + y) * ow + x] =
              static_cast<T>(function(elements.all().subspan(p * plane_size, plane_size), y, x));
  });
  return {result};
}

} // namespace

Tensors compute(const MaxPool2d &op, const Operands &operands, const Types &types) {
  int64_t h = operands[0]->shape()[2], w = operands[0]->shape()[3];
  auto largest = [&](std::span<const float> plane, int64_t y, int64_t x) {
    double best = -std::numeric_limits<double>::infinity();
    for (int64_t ky = 0; ky < op.kernel[0]; ++ky)
      for (int64_t kx = 0; kx < op.kernel[1]; ++kx) {
        int64_t iy = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
        int64_t ix = x * op.stride[1] + kx * op.dilation[1] - op.pad[1];
        if (iy < 0 || iy >= h || ix < 0 || ix >= w)
          continue;
        double element = plane[iy * w + ix];
        if (element > best) // passes over NaN
          best = element;
      }
    return best;
  };
  return for_each_output(*operands[0], types[0], largest);
}

Tensors compute(const MaxPool2dIndices &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &in = operands[0]->shape();
  const int64_t h = in[2], w = in[3];
  const bool in_window = op.positions == PoolPositions::window;
  Tensor values(types[0]), indices(types[1]);
  int64_t oh = types[0].shape[2], ow = types[0].shape[3];
  std::span<float> value = values.mutable_floats();
  auto set_index = [&](int64_t element, int64_t plane, int64_t at) {
    if (in_window)
      indices.mutable_elements<uint8_t>()[element] = static_cast<uint8_t>(at);
    else
      indices.mutable_elements<int64_t>()[element] = plane * h * w + at;
  };
  for (int64_t p = 0; p < in[0] * in[1]; ++p)
    for (int64_t y = 0; y < oh; ++y)
      for (int64_t x = 0; x < ow; ++x) {
        float best = -std::numeric_limits<float>::infinity();
        int64_t at = 0;
        for (int64_t ky = 0; ky < op.kernel[0]; ++ky)
          for (int64_t kx = 0; kx < op.kernel[1]; ++kx) {
            int64_t iy = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
            int64_t ix = x * op.stride[1] + kx * op.dilation[1] - op.pad[1];
            if (iy < 0 || iy >= h || ix < 0 || ix >= w)
              continue;
            float element = operands[0]->floats()[(p * h + iy) * w + ix];
            if (element > best) {
              best = element;
              at = in_window ? ky * op.kernel[1] + kx : op.column_major ? ix * h + iy : iy * w + ix;
            }
          }
        value[(p * oh + y) * ow + x] = best;
        set_index((p * oh + y) * ow + x, p, at);
      }
  return {values, indices};
}

Tensors compute(const MaxPool2dGradient &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &windows = operands[0]->shape();
  const int64_t h = op.sizes[0], w = op.sizes[1];
  std::vector<double> sums(static_cast<size_t>(windows[0] * windows[1] * h * w));
  for (int64_t p = 0, i = 0; p < windows[0] * windows[1]; ++p)
    for (int64_t y = 0; y < windows[2]; ++y)
      for (int64_t x = 0; x < windows[3]; ++x, ++i) {
        const int64_t at = operands[1]->elements<uint8_t>()[i];
        const int64_t ky = at / op.kernel[1], kx = at % op.kernel[1];
        const int64_t iy = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
        const int64_t ix = x * op.stride[1] + kx * op.dilation[1] - op.pad[1];
        if (ky < op.kernel[0] && iy >= 0 && iy < h && ix >= 0 && ix < w)
          sums[static_cast<size_t>((p * h + iy) * w + ix)] += operands[0]->floats()[i];
      }
  Tensor result(types[0]);
  std::ranges::transform(sums, result.mutable_floats().begin(),
                         [](double sum) { return static_cast<float>(sum); });
  return {result};
}

Tensors compute(const MaxUnpool2d &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::span<float> output = result.mutable_floats();
  const int64_t count = result.count();
  for (int64_t i = 0; i < operands[0]->count(); ++i) {
    int64_t at = operands[1]->elements<int64_t>()[i];
    at = std::clamp<int64_t>(at < 0 ? at + count : at, 0, count - 1);
    output[at] = operands[0]->floats()[i];
  }
  return {result};
}

Tensors compute(const AvgPool2d &op, const Operands &operands, const Types &types) {
  int64_t h = operands[0]->shape()[2], w = operands[0]->shape()[3];
  return for_each_output(
      *operands[0], types[0], [&](std::span<const float> plane, int64_t y, int64_t x) {
        double sum = 0;
        int64_t divisor = 0;
        for (int64_t ky = 0; ky < op.kernel[0]; ++ky)
          for (int64_t kx = 0; kx < op.kernel[1]; ++kx) {
            int64_t iy = y * op.stride[0] + ky - op.pad[0], ix = x * op.stride[1] + kx - op.pad[1];
            bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
            bool padded = iy < h + op.pad[2] && ix < w + op.pad[3]; // else added by ceil_mode
            divisor += inside || (op.count_padding && padded);
            sum += inside ? plane[iy * w + ix] : 0;
          }
        return sum / static_cast<double>(divisor);
      });
}

Tensors compute(const GlobalAvgPool2d &, const Operands &operands, const Types &types) {
  return for_each_output(*operands[0], types[0],
                         [](std::span<const float> plane, int64_t, int64_t) {
                           double sum = 0;
                           for (float x : plane)
                             sum += x;
                           return sum / static_cast<double>(plane.size());
                         });
}

} // namespace cnnc::reference
