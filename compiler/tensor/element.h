// From a DType to the C++ type of its elements.
#pragma once

#include "ir/type/type.h"

namespace cnnc {

/// What function(element) gives, called with an element of the C++ type that holds the DType's, zero.
/// Booleans are bytes, floats of 16 bits their bits (narrow.h has their numbers).
template <class Function> auto with_element(DType dtype, Function function) {
  switch (dtype) {
  case DType::f32:
    return function(float());
  case DType::f64:
    return function(double());
  case DType::i32:
    return function(int32_t());
  case DType::i64:
    return function(int64_t());
  case DType::u8:
  case DType::boolean:
    return function(uint8_t());
  case DType::i16:
    return function(int16_t());
  case DType::bf16:
  case DType::f16:
    return function(uint16_t());
  case DType::i8:
    break;
  }
  return function(int8_t());
}

} // namespace cnnc
