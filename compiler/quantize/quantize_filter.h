// Weights as integers.
#pragma once

#include "compiler/tensor/tensor.h"

namespace cnnc {

/// filter[o, ..] = integers[o, ..] * scales[o], to the nearest of 127 steps on each side of 0.
struct QuantizedFilter {
  Tensor integers; // i8 [o, ..]
  Tensor scales;   // f32 [o]
};

/// Of f32 [o, ..]. The largest magnitude of an output channel is step 127; a channel of zeros has
/// scale 1.
QuantizedFilter quantize_filter(const Tensor &filter);

} // namespace cnnc
