// Which weights are worth to be stored in 16 bits: what choose_algorithms and narrow_weights agree on.
#pragma once

#include "ir/type/type.h"

namespace cnnc {

/// The elements of a transformed filter of Winograd's F(m x m, 3x3) differ in size, the more the
/// larger m is, and the largest inputs meet the smallest of them. With he's deviation, 512 channels,
/// relative to the result, in rms: bf16 0.0028, 0.0077, 0.013 for m = 2, 3, 4, and 0.0017 without
/// the method; f16 0.0003, 0.0009, 0.0015, 0.0026, 0.02 for m = 2 to 6. Weights that are 16 times
/// smaller go below the smallest normal numbers of f16 and give 0.0017 for 4, but 0.019 for 5.
constexpr int64_t largest_narrow_winograd = 4;

/// Fewer numbers fit a first-level cache together with what they are multiplied by.
constexpr int64_t fewest_narrow_weights = 4096;

inline bool is_large_weight(const TensorType &type) {
  return element_count(type.shape).value_or(0) >= fewest_narrow_weights;
}

} // namespace cnnc
