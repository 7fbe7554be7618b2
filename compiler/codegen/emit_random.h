// Counter-based random numbers as straight-line LLVM IR (compiler/README.md, "Random numbers"), on
// integers or vectors of them: the same bits on every CPU.
#pragma once

#include <cstdint>

namespace llvm {
class IRBuilderBase;
class Value;
} // namespace llvm

namespace cnnc::codegen {

/// What the numbers of a seed and a counter have in common: two words.
struct UniformKey {
  llvm::Value *first, *second;
};
UniformKey emit_uniform_key(llvm::IRBuilderBase &builder, uint32_t seed, llvm::Value *counter);

/// The numbers in [0, 1) that belong to places, which are i32 like the words.
llvm::Value *emit_uniform(llvm::IRBuilderBase &builder, llvm::Value *places, const UniformKey &key);

} // namespace cnnc::codegen
