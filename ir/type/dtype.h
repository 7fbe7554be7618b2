// Types of elements: one row of a table each, with all that any part of cnnc knows of them. What
// needs a C++ type takes it from compiler/tensor/element.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnnc {

/// In the order of the table. The numbers are those of `cnnc_dtype` in the runtime's header, which has
/// those that tensors outside of a model have: not bf16 and f16, in which only weights are stored.
enum class DType : uint8_t { f32, f64, i32, i64, u8, boolean, i8, i16, bf16, f16 };

enum class DTypeKind : uint8_t { floating, signed_integer, unsigned_integer, boolean };

struct DTypeInfo {
  DType dtype;
  DTypeKind kind;
  int64_t size;                 // bytes
  std::string_view name;        // in our texts
  std::string_view c;           // in headers of compiled models
  std::string_view runtime;     // constant of `cnnc_dtype`; empty: it has none
  std::string_view numpy;       // little endian `descr` of .npy files; empty: none holds it
  std::string_view safetensors; // "dtype" of .safetensors files
  int32_t onnx;                 // TensorProto.DataType of onnx.proto
};

/// Every type once.
extern const std::array<DTypeInfo, 10> dtype_table;

inline const DTypeInfo &info_of(DType dtype) { return dtype_table[static_cast<size_t>(dtype)]; }
inline std::string_view name_of(DType dtype) { return info_of(dtype).name; }
inline int64_t size_of(DType dtype) { return info_of(dtype).size; }
inline bool is_float(DType dtype) { return info_of(dtype).kind == DTypeKind::floating; }
/// Floats of 16 bits: loads widen them to f32, in which all arithmetic is.
inline bool is_narrow(DType dtype) { return is_float(dtype) && size_of(dtype) == 2; }
/// Signed or unsigned; bool is none.
inline bool is_integer(DType dtype) {
  return info_of(dtype).kind == DTypeKind::signed_integer ||
         info_of(dtype).kind == DTypeKind::unsigned_integer;
}

/// The least and the largest number of a type of integers or of bool. That of i64 is 2^63 - 1, which
/// no double has: compare doubles with its successor.
int64_t least_of(DType dtype);
int64_t largest_of(DType dtype);

/// Empty when there is no such type.
std::optional<DType> dtype_named(std::string_view name);

/// All names: "f32, f64, i32, i64, u8, bool, i8, i16, bf16, f16".
std::string dtype_names();

} // namespace cnnc
