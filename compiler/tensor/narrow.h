// Floats of 16 bits, bf16 and f16, and the floats that they stand for.
#pragma once

#include "compiler/tensor/tensor.h"

namespace cnnc {

/// The bits of the nearest bf16 or f16, the even one of two. What is too large becomes an infinity,
/// a NaN stays one.
uint16_t narrow_bits(float value, DType dtype);

/// The number that they stand for.
float widened_bits(uint16_t bits, DType dtype);

/// An f32 tensor rounded to bf16 or f16.
Tensor narrowed(const Tensor &tensor, DType dtype);

/// A tensor of bf16 or f16 as f32, exactly.
Tensor widened(const Tensor &tensor);

} // namespace cnnc
