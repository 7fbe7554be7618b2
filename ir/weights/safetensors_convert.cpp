#include "ir/weights/safetensors.h"

#include <bit>
#include <cstring>

namespace cnnc {
namespace {

/// IEEE 754 binary16: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction. Every value fits an
/// f32 exactly, and a NaN keeps its payload.
float half_to_float(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  uint32_t exponent = (half >> 10) & 0x1fu;
  uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) { // zero, or subnormal: fraction * 2^-24, a normal f32
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  uint32_t wide_exponent = exponent == 0x1f ? 0xff : exponent - 15 + 127;
  return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
}

/// bfloat16 is the upper half of an f32.
float bfloat16_to_float(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

/// The data may be unaligned, hence the copies.
template <typename Element, typename Convert>
bool convert(std::span<const std::byte> data, std::span<float> out, Convert to_float) {
  if (data.size() % sizeof(Element) != 0 || data.size() / sizeof(Element) != out.size())
    return false;
  for (size_t i = 0; i < out.size(); ++i) {
    Element element;
    std::memcpy(&element, data.data() + i * sizeof element, sizeof element);
    out[i] = to_float(element);
  }
  return true;
}

} // namespace

bool convert_to_f32(const SafetensorsTensor &tensor, std::span<float> out) {
  if (tensor.dtype == "F32") {
    if (tensor.data.size() != out.size_bytes())
      return false;
    if (!out.empty())
      std::memcpy(out.data(), tensor.data.data(), out.size_bytes());
    return true;
  }
  if (tensor.dtype == "F16")
    return convert<uint16_t>(tensor.data, out, half_to_float);
  if (tensor.dtype == "BF16")
    return convert<uint16_t>(tensor.data, out, bfloat16_to_float);
  if (tensor.dtype == "F64")
    return convert<double>(tensor.data, out,
                           [](double value) { return static_cast<float>(value); });
  return false;
}

} // namespace cnnc
