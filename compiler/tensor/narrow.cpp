#include "compiler/tensor/narrow.h"

#include "ir/weights/safetensors.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

/// The integer nearest to a number that is not negative, the even one of two.
uint32_t nearest(double x) {
  const double below = std::floor(x), rest = x - below;
  const auto whole = static_cast<uint32_t>(below);
  return rest > 0.5 || (rest == 0.5 && whole % 2 == 1) ? whole + 1 : whole;
}

} // namespace

/// By the definition: fraction digits that are counted in units of the last one. What is rounded up
/// to the next power of two, or to infinity, carries over into the exponent.
uint16_t narrow_bits(float value, DType dtype) {
  const int digits = dtype == DType::bf16 ? 7 : 10;    // of the fraction
  const int least = dtype == DType::bf16 ? -126 : -14; // exponent of the smallest normal number
  const uint32_t infinity = dtype == DType::bf16 ? 0x7f80 : 0x7c00;
  const uint32_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return static_cast<uint16_t>(sign | infinity | (1U << (digits - 1)));
  if (std::isinf(value))
    return static_cast<uint16_t>(sign | infinity);
  const double magnitude = std::abs(static_cast<double>(value));
  const int exponent = magnitude == 0 ? least : std::max(std::ilogb(magnitude), least);
  const uint32_t steps = nearest(std::ldexp(magnitude, digits - exponent));
  const auto biased = static_cast<uint32_t>(exponent - least) << digits;
  return static_cast<uint16_t>(sign | std::min(biased + steps, infinity));
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
