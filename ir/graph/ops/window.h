// A window that slides over one dimension of an input, as those of convolutions and pools do.
#pragma once

#include <cstdint>
#include <optional>

namespace cnnc {

/// Geometry of one spatial dimension of a window that slides over an input.
struct Window {
  int64_t input = 1, kernel = 1, stride = 1, pad_before = 0, pad_after = 0, dilation = 1;
  bool ceil_mode = false; // round the number of outputs up instead of down

  /// Number of output positions: floor((input + pads - dilation * (kernel - 1) - 1) / stride) + 1,
  /// or with ceil_mode rounded up, less a last window that would start in the padding after the
  /// input. Empty on overflow; zero or negative when the window does not fit.
  std::optional<int64_t> output() const;
};

} // namespace cnnc
