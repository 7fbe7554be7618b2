// From the values that a tensor takes to the scale and the zero point of its integers.
#pragma once

#include "compiler/quantize/histogram.h"

namespace cnnc {

/// What the integers 0 to 255 stand for: (q - zero_point) * scale, among them exactly 0.
struct ActivationScale {
  float scale = 1;
  int64_t zero_point = 0;
};

/// RangeMethod of cnnc.h.
enum class RangeRule { min_max, percentile, squared_error };

/// The part of the values that integers are to represent; what lies outside becomes the nearest end.
ValueRange choose_range(const Histogram &histogram, RangeRule rule);

/// The smallest that holds both.
ValueRange join(const ValueRange &a, const ValueRange &b);

/// Scale 1 where there is nothing but 0.
ActivationScale scale_of(const ValueRange &range);

} // namespace cnnc
