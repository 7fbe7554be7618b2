#include "compiler/tensor/narrow.h"

#include "ir/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cnnc {

namespace {

/// Drops the last bits, to the nearest, the even one of two. What is rounded up to the next power of
/// two, or to infinity, carries over into the exponent.
uint32_t rounded(uint32_t bits, unsigned dropped) {
  const uint32_t odd = bits >> dropped & 1;
  return (bits + (1U << (dropped - 1)) - 1 + odd) >> dropped;
}

/// Of a number that is no NaN, without its sign.
uint32_t f16_magnitude(uint32_t bits) {
  constexpr uint32_t smallest_normal = 0x38800000, infinity = 0x47800000; // 2^-14, 2^16
  constexpr uint32_t exponents_apart = (127 - 15) << 23;
  if (bits < smallest_normal) // steps of 2^-24
    return static_cast<uint32_t>(std::nearbyint(std::bit_cast<float>(bits) * 0x1p24F));
  return rounded(std::min(bits, infinity) - exponents_apart, 13);
}

} // namespace

uint16_t narrow_bits(float value, DType dtype) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (std::isnan(value))
    return static_cast<uint16_t>(sign | (dtype == DType::bf16 ? 0x7fc0 : 0x7e00));
  const uint32_t narrow = dtype == DType::bf16 ? rounded(magnitude, 16) : f16_magnitude(magnitude);
  return static_cast<uint16_t>(sign | narrow);
}

Tensor narrowed(const Tensor &tensor, DType dtype) {
  TensorType type = tensor.type();
  type.dtype = dtype;
  Tensor result(type);
  std::ranges::transform(tensor.floats(), result.mutable_elements<uint16_t>().begin(),
                         [&](float value) { return narrow_bits(value, dtype); });
  return result;
}

float widened_bits(uint16_t bits, DType dtype) {
  float value = 0;
  convert_to_f32(
      {"", std::string(info_of(dtype).safetensors), {1}, std::as_bytes(std::span(&bits, 1))},
      {&value, 1});
  return value;
}

Tensor widened(const Tensor &tensor) {
  TensorType type = tensor.type();
  const std::string stored(info_of(type.dtype).safetensors);
  type.dtype = DType::f32;
  Tensor result(type);
  convert_to_f32({"", stored, type.shape, tensor.bytes()}, result.mutable_floats());
  return result;
}

} // namespace cnnc
