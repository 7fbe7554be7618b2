#include "ir/graph/gradients/transposed.h"

namespace cnnc {

Term scattered_to_windows(const Term &gradient, const Term &filter, const SlidingWindow &window,
                          const std::vector<int64_t> &input) {
  ConvTranspose2d op;
  op.stride = window.stride;
  op.pad = window.pad;
  op.dilation = window.dilation;
  op.groups = window.groups;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reach = (gradient.dim(2 + i) - 1) * window.stride[i] +
                          window.dilation[i] * (window.kernel[i] - 1) + 1;
    // Rows behind the last window get nothing; what windows see of the padding is cut off.
    const int64_t missing = window.pad[i] + input[2 + i] + window.pad[2 + i] - reach;
    if (missing >= 0)
      op.output_padding[i] = missing;
    else
      op.pad[2 + i] -= missing;
  }
  return apply(op, {gradient, filter});
}

} // namespace cnnc
