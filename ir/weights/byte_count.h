// Sizes of tensors that come from files, with overflow noticed.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace cnnc {

/// product(shape) * element_size in bytes, at most 2^63 - 1; nothing on overflow or a negative
/// dimension. Zero dimensions count as one in the overflow check, so that strides of an accepted
/// shape never overflow.
inline std::optional<uint64_t> byte_count(std::span<const int64_t> shape, uint64_t element_size) {
  uint64_t product = element_size;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      return std::nullopt;
    empty |= size == 0;
    if (size != 0 && __builtin_mul_overflow(product, static_cast<uint64_t>(size), &product))
      return std::nullopt;
    if (product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return std::nullopt;
  }
  return empty ? 0 : product;
}

} // namespace cnnc
