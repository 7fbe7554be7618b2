#include "compiler/layout/halo.h"

#include "compiler/support/ceil_div.h"

#include <algorithm>

namespace cnnc {

Halo halo_of_windows(const std::array<int64_t, 4> &pad, const std::array<int64_t, 2> &stride,
                     const std::array<int64_t, 2> &dilation, const std::array<int64_t, 2> &kernel,
                     const std::vector<int64_t> &input, const std::vector<int64_t> &output) {
  Halo halo = {};
  for (size_t i = 0; i < 2; ++i) {
    int64_t last = (output[2 + i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] - pad[i];
    halo[i] = pad[i];
    halo[2 + i] = std::max<int64_t>(0, last - input[2 + i] + 1);
  }
  return halo;
}

PositionRange inner_positions(int64_t pad, int64_t stride, int64_t dilation, int64_t kernel,
                              int64_t input, int64_t output) {
  int64_t last_start = input + pad - (kernel - 1) * dilation - 1;
  int64_t end = last_start < 0 ? 0 : std::min(output, last_start / stride + 1);
  return {std::min((pad + stride - 1) / stride, end), end};
}

PositionRange groups_in_windows(const MaxPool2dGradient &op, size_t axis, int64_t size) {
  constexpr int64_t largest_stride = 4; // each of a group's elements has a sum of its own
  const int64_t stride = op.stride[axis], pad = op.pad[axis];
  if (op.dilation[axis] != 1 || stride > largest_stride)
    return {0, 0};
  const int64_t windows = ceil_div(op.kernel[axis], stride); // that a group lies in
  const int64_t first = std::max(windows - 1, ceil_div(pad, stride));
  return {first, std::max(first, std::min(size, (op.sizes[axis] + pad) / stride))};
}

Halo halo_of(const Conv2d &conv, const std::vector<int64_t> &input,
             const std::vector<int64_t> &filter, const std::vector<int64_t> &output) {
  std::vector<int64_t> computed = output;
  if (conv.winograd > 0)
    for (size_t axis : {2, 3})
      computed[axis] = (output[axis] + conv.winograd - 1) / conv.winograd * conv.winograd;
  Halo halo = halo_of_windows(conv.pad, conv.stride, conv.dilation, {filter[2], filter[3]}, input,
                              computed);
  if (conv.padded_rows == PaddedRows::skip)
    halo[0] = halo[2] = 0;
  return halo;
}

} // namespace cnnc
