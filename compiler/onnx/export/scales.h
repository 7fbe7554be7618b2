// Scales of ONNX's Resize, from which programs compute the size of the result, in single precision.
#pragma once

#include <cmath>
#include <cstdint>

namespace cnnc {

/// What a scale makes of a dimension.
inline int64_t scaled_size(double scale, int64_t from) {
  return static_cast<int64_t>(static_cast<float>(scale) * static_cast<float>(from));
}

/// The least scale that makes `size` of a dimension: 31 / 7 in single precision makes 30 of 7.
inline double scale_to(int64_t size, int64_t from) {
  auto scale = static_cast<float>(static_cast<double>(size) / static_cast<double>(from));
  while (scaled_size(scale, from) < size)
    scale = std::nextafter(scale, 2 * scale);
  return scale;
}

} // namespace cnnc
