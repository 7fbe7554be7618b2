#include "compiler/reference/compute.h"

namespace cnnc::reference {

/// Element by element of the filter: what each of its products in the convolution was multiplied
/// by, times the gradient of the result that the product went to.
Tensors compute(const Conv2dFilterGradient &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &in = operands[0]->shape(), &out = operands[1]->shape();
  std::span<const float> input = operands[0]->floats(), gradient = operands[1]->floats();
  Tensor result(types[0]);
  std::span<float> output = result.mutable_floats();
  const int64_t each = in[1] / op.groups, group_outputs = out[1] / op.groups;
  auto sum_at = [&](int64_t o, int64_t i, int64_t ky, int64_t kx) {
    double sum = 0;
    for (int64_t n = 0; n < out[0]; ++n)
      for (int64_t y = 0; y < out[2]; ++y)
        for (int64_t x = 0; x < out[3]; ++x) {
          const int64_t iy = y * op.stride[0] + ky * op.dilation[0] - op.pad[0];
          const int64_t ix = x * op.stride[1] + kx * op.dilation[1] - op.pad[1];
          if (iy < 0 || iy >= in[2] || ix < 0 || ix >= in[3])
            continue;
          const double factor = gradient[((n * out[1] + o) * out[2] + y) * out[3] + x];
          sum += factor * input[((n * in[1] + i) * in[2] + iy) * in[3] + ix];
        }
    return static_cast<float>(sum);
  };
  size_t position = 0;
  for (int64_t o = 0; o < out[1]; ++o)
    for (int64_t i = 0; i < each; ++i)
      for (int64_t ky = 0; ky < op.kernel[0]; ++ky)
        for (int64_t kx = 0; kx < op.kernel[1]; ++kx)
          output[position++] = sum_at(o, o / group_outputs * each + i, ky, kx);
  return {result};
}

} // namespace cnnc::reference
