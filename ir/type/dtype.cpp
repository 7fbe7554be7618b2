#include "ir/type/dtype.h"

#include <algorithm>

namespace cnnc {

const std::array<DTypeInfo, 10> dtype_table = {{
    {DType::f32, DTypeKind::floating, 4, "f32", "float", "CNNC_F32", "<f4", "F32", 1},
    {DType::f64, DTypeKind::floating, 8, "f64", "double", "CNNC_F64", "<f8", "F64", 11},
    {DType::i32, DTypeKind::signed_integer, 4, "i32", "int32_t", "CNNC_I32", "<i4", "I32", 6},
    {DType::i64, DTypeKind::signed_integer, 8, "i64", "int64_t", "CNNC_I64", "<i8", "I64", 7},
    {DType::u8, DTypeKind::unsigned_integer, 1, "u8", "uint8_t", "CNNC_U8", "|u1", "U8", 2},
    {DType::boolean, DTypeKind::boolean, 1, "bool", "uint8_t", "CNNC_BOOL", "|b1", "BOOL", 9},
    {DType::i8, DTypeKind::signed_integer, 1, "i8", "int8_t", "CNNC_I8", "|i1", "I8", 3},
    {DType::i16, DTypeKind::signed_integer, 2, "i16", "int16_t", "CNNC_I16", "<i2", "I16", 5},
    {DType::bf16, DTypeKind::floating, 2, "bf16", "uint16_t", "", "", "BF16", 16},
    {DType::f16, DTypeKind::floating, 2, "f16", "uint16_t", "", "", "F16", 10},
}};

int64_t least_of(DType dtype) {
  const DTypeInfo &info = info_of(dtype);
  return info.kind == DTypeKind::signed_integer ? -largest_of(dtype) - 1 : 0;
}

int64_t largest_of(DType dtype) {
  const DTypeInfo &info = info_of(dtype);
  if (info.kind == DTypeKind::boolean)
    return 1;
  const int64_t bits = 8 * info.size - (info.kind == DTypeKind::signed_integer ? 1 : 0);
  return static_cast<int64_t>((uint64_t(1) << bits) - 1);
}

std::optional<DType> dtype_named(std::string_view name) {
  auto row = std::ranges::find(dtype_table, name, &DTypeInfo::name);
  return row == dtype_table.end() ? std::nullopt : std::optional(row->dtype);
}

std::string dtype_names() {
  std::string names;
  for (const DTypeInfo &info : dtype_table)
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

} // namespace cnnc
