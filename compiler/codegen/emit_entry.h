// Elements of tables of 256 bytes: entry of the loops text.
#pragma once

#include <llvm/IR/IRBuilder.h>

namespace cnnc::codegen {

struct Target;

/// The bytes behind `table` whose places are the lowest 8 bits of x, an i32 or a vector of them, each
/// in an i32 without sign.
llvm::Value *emit_entry(llvm::IRBuilderBase &builder, const Target &target, llvm::Value *table,
                        llvm::Value *x);

} // namespace cnnc::codegen
