#include "compiler/reference/compute.h"
#include "compiler/reference/floats.h"
#include "compiler/reference/winograd.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>

namespace cnnc::reference {

namespace {

/// Output positions [begin, end) whose window element at `offset` (the kernel's position times the
/// dilation, less the padding before) lies inside the input: 0 <= position * stride + offset <
/// input.
struct Positions {
  int64_t begin, end;
};

Positions positions_inside(int64_t offset, int64_t stride, int64_t input, int64_t output) {
  int64_t begin = std::clamp<int64_t>(ceil_div(-offset, stride), 0, output);
  int64_t end = std::clamp<int64_t>(ceil_div(input - offset, stride), begin, output);
  return {begin, end};
}

/// The bias of an output channel; sums of integers are far below 2^53.
double bias_of(const Operands &operands, int64_t channel) {
  if (operands.size() < 3)
    return 0;
  const auto i = static_cast<size_t>(channel);
  return operands[2]->type().dtype == DType::i32 ? operands[2]->elements<int32_t>()[i]
                                                 : static_cast<double>(operands[2]->floats()[i]);
}

/// Stores sums from an element of the result on; those of integers modulo 2^32.
void store(std::span<const double> sums, Tensor &result, int64_t first) {
  auto to = [&](auto elements) { return elements.begin() + first; };
  if (result.type().dtype == DType::i32)
    std::ranges::transform(sums, to(result.mutable_elements<int32_t>()), [](double sum) {
      return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(sum)));
    });
  else
    std::ranges::transform(sums, to(result.mutable_floats()),
                           [](double sum) { return static_cast<float>(sum); });
}

} // namespace

/// A row of outputs at a time, so that the inner loop runs along the input's row.
Tensors compute(const Conv2d &op, const Operands &operands, const Types &types) {
  if (op.winograd > 0 && is_narrow(operands[1]->type().dtype))
    return winograd(op, operands, types);
  const std::vector<int64_t> &in = operands[0]->shape(), &filter_shape = operands[1]->shape();
  int64_t ic = filter_shape[1], kh = filter_shape[2], kw = filter_shape[3], h = in[2], w = in[3];
  const Floats input(*operands[0]), filter(*operands[1]);
  const auto padding = static_cast<double>(op.zero_point);
  Tensor result(types[0]);
  int64_t oc = result.shape()[1], oh = result.shape()[2], ow = result.shape()[3];
  std::vector<double> row(static_cast<size_t>(ow));
  for (int64_t n = 0; n < in[0]; ++n)
    for (int64_t o = 0; o < oc; ++o)
      for (int64_t y = 0; y < oh; ++y) {
        int64_t first_channel = o / (oc / op.groups) * ic;
        std::fill(row.begin(), row.end(), bias_of(operands, o));
        for (int64_t i = 0; i < ic; ++i)
          for (int64_t ky = 0; ky < kh; ++ky) {
            int64_t iy = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
            const bool inside = iy >= 0 && iy < h;
            if (!inside && padding == 0)
              continue;
            const float *input_row =
                inside ? input.at(((n * in[1] + first_channel + i) * h + iy) * w) : nullptr;
            const float *filter_row = filter.at(((o * ic + i) * kh + ky) * kw);
            for (int64_t kx = 0; kx < kw; ++kx) {
              int64_t offset = kx * op.dilation[1] - op.pad[1];
              auto [begin, end] =
                  inside ? positions_inside(offset, op.stride[1], w, ow) : Positions{0, 0};
              double weight = filter_row[kx];
              if (padding != 0)
                for (int64_t x = 0; x < ow; ++x)
                  row[x] += x >= begin && x < end ? 0 : weight * padding;
              for (int64_t x = begin; x < end; ++x)
                row[x] += weight * input_row[x * op.stride[1] + offset];
            }
          }
        store(row, result, ((n * oc + o) * oh + y) * ow);
      }
  return {result};
}

/// Every element of the input scatters the filter, times its value, over the output.
Tensors compute(const ConvTranspose2d &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &in = operands[0]->shape(), &filter_shape = operands[1]->shape();
  int64_t each = filter_shape[1], kh = filter_shape[2], kw = filter_shape[3];
  std::span<const float> input = operands[0]->floats(), filter = operands[1]->floats();
  Tensor result(types[0]);
  int64_t oc = result.shape()[1], oh = result.shape()[2], ow = result.shape()[3];
  std::vector<double> plane(static_cast<size_t>(oh * ow));
  auto scatter = [&](int64_t y, int64_t x, double value, const float *kernel) {
    for (int64_t ky = 0; ky < kh; ++ky)
      for (int64_t kx = 0; kx < kw; ++kx) {
        int64_t to_y = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
        int64_t to_x = x * op.stride[1] + kx * op.dilation[1] - op.pad[1];
        if (to_y >= 0 && to_y < oh && to_x >= 0 && to_x < ow)
          plane[to_y * ow + to_x] += value * kernel[ky * kw + kx];
      }
  };
  for (int64_t n = 0; n < in[0]; ++n)
    for (int64_t o = 0; o < oc; ++o) {
      std::fill(plane.begin(), plane.end(), operands.size() > 2 ? operands[2]->floats()[o] : 0.0);
      int64_t channels = in[1] / op.groups, first = o / each * channels;
      for (int64_t i = first; i < first + channels; ++i)
        for (int64_t y = 0; y < in[2]; ++y)
          for (int64_t x = 0; x < in[3]; ++x)
            scatter(y, x, input[((n * in[1] + i) * in[2] + y) * in[3] + x],
                    &filter[(i * each + o % each) * kh * kw]);
      store(plane, result, (n * oc + o) * oh * ow);
    }
  return {result};
}

Tensors compute(const Local2d &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &in = operands[0]->shape(), &filter_shape = operands[1]->shape();
  int64_t oh = filter_shape[0], ow = filter_shape[1], oc = filter_shape[2], ic = filter_shape[3];
  int64_t kh = filter_shape[4], kw = filter_shape[5], h = in[2], w = in[3];
  std::span<const float> input = operands[0]->floats(), filter = operands[1]->floats();
  Tensor result(types[0]);
  std::span<float> output = result.mutable_floats();
  auto sum_at = [&](int64_t n, int64_t o, int64_t y, int64_t x) {
    double sum = operands.size() > 2 ? operands[2]->floats()[(o * oh + y) * ow + x] : 0.0;
    for (int64_t i = 0; i < ic; ++i)
      for (int64_t ky = 0; ky < kh; ++ky)
        for (int64_t kx = 0; kx < kw; ++kx) {
          int64_t iy = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
          int64_t ix = x * op.stride[1] + kx * op.dilation[1] - op.pad[1];
          if (iy < 0 || iy >= h || ix < 0 || ix >= w)
            continue;
          int64_t position = (((y * ow + x) * oc + o) * ic + i) * kh * kw + ky * kw + kx;
          sum += static_cast<double>(filter[position]) * input[((n * ic + i) * h + iy) * w + ix];
        }
    return static_cast<float>(sum);
  };
  for (int64_t n = 0; n < in[0]; ++n)
    for (int64_t o = 0; o < oc; ++o)
      for (int64_t y = 0; y < oh; ++y)
        for (int64_t x = 0; x < ow; ++x)
          output[((n * oc + o) * oh + y) * ow + x] = sum_at(n, o, y, x);
  return {result};
}

Tensors compute(const Dense &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  int64_t batch = result.shape()[0], oc = result.shape()[1], ic = operands[1]->shape()[1];
  const Floats input(*operands[0]), weight(*operands[1]);
  std::vector<double> row(static_cast<size_t>(oc));
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t o = 0; o < oc; ++o) {
      double sum = bias_of(operands, o);
      for (int64_t i = 0; i < ic; ++i)
        sum += static_cast<double>(input[n * ic + i]) * weight[o * ic + i];
      row[static_cast<size_t>(o)] = sum;
    }
    store(row, result, n * oc);
  }
  return {result};
}

} // namespace cnnc::reference
