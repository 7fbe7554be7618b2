// Sums of products of short integers: dot2 and dot4 of the loops text.
#pragma once

#include "ir/type/dtype.h"

#include <llvm/IR/IRBuilder.h>

namespace cnnc::codegen {

struct Target;

/// sum + the products of the four bytes of x with those of w, in every lane: all three are i32, or
/// vectors of as many. x and w are of the types given, i8 or u8. Exact on every CPU: by an
/// instruction of its own where the target has one for these types, else by products of 16 bits,
/// which are added in pairs of 32 bits.
llvm::Value *emit_dot4(llvm::IRBuilderBase &builder, const Target &target, llvm::Value *sum,
                       llvm::Value *x, DType x_type, llvm::Value *w, DType w_type);

/// The same of two neighbours of 8 or 16 bits, in x and w as integers twice as wide: an instruction
/// for the products of a pair and an addition.
llvm::Value *emit_dot2(llvm::IRBuilderBase &builder, llvm::Value *sum, llvm::Value *x, DType x_type,
                       llvm::Value *w, DType w_type);

} // namespace cnnc::codegen
