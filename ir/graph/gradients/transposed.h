// Transposed convolutions as gradients need them: of a given size.
#pragma once

#include "ir/graph/gradients/term.h"

namespace cnnc {

/// The window of a convolution or pool whose input has height and width `input`.
struct SlidingWindow {
  std::array<int64_t, 2> kernel, stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
};

/// Adds `gradient` [n, oc, oh, ow] times the filter [oc, ic / groups, kh, kw] up at the elements of
/// an input [n, ic, h, w] that each window reads.
Term scattered_to_windows(const Term &gradient, const Term &filter, const SlidingWindow &window,
                          const std::vector<int64_t> &input);

} // namespace cnnc
