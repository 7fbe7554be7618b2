// Elements of one type as another: what loads and stores of buffers that are not f32 do.
#pragma once

#include "ir/type/type.h"

namespace llvm {
class IRBuilderBase;
class Type;
class Value;
} // namespace llvm

namespace cnnc::codegen {

struct Target;

/// What holds one element of a buffer; a bool is a byte, and floats of 16 bits are an i16.
llvm::Type *element_type(llvm::IRBuilderBase &builder, DType dtype);

/// A scalar or vector of elements of `from`, as buffers hold them, as elements of `to`. Floats
/// become integers by truncation, integers are sign-extended; what is out of range becomes the
/// nearest integer of the type, NaN 0. A bool is a byte: 0 or, true, anything else; it becomes 0 or
/// 1. To bf16 and f16 floats are rounded to the nearest, the even one of two; a NaN stays one.
llvm::Value *emit_conversion(llvm::IRBuilderBase &builder, const Target &target, llvm::Value *value,
                             DType from, DType to);

/// round(x) + zero_point, x of f32, as an i32: what is below the least becomes that, as does NaN, what
/// is above the largest that. One conversion that rounds, and no other rounding.
llvm::Value *emit_rounded(llvm::IRBuilderBase &builder, llvm::Value *x, int64_t zero_point,
                          int64_t least, int64_t largest);

/// A number of a text as an element of the type; null for floats of 16 bits.
llvm::Value *emit_number(llvm::IRBuilderBase &builder, double number, DType to);

} // namespace cnnc::codegen
