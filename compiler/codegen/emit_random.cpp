#include "compiler/codegen/emit_random.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

namespace {

Value *like(Value *value, uint64_t number) {
  return llvm::ConstantInt::get(value->getType(), number);
}

/// lowbias32, see compiler/README.md.
Value *mix(IRBuilderBase &builder, Value *x) {
  x = builder.CreateXor(x, builder.CreateLShr(x, like(x, 16)));
  x = builder.CreateMul(x, like(x, 0x7feb352d));
  x = builder.CreateXor(x, builder.CreateLShr(x, like(x, 15)));
  x = builder.CreateMul(x, like(x, 0x846ca68b));
  return builder.CreateXor(x, builder.CreateLShr(x, like(x, 16)));
}

constexpr uint32_t golden = 0x9e3779b9;

} // namespace

UniformKey emit_uniform_key(IRBuilderBase &builder, uint32_t seed, Value *counter) {
  llvm::Type *bits = counter->getType()->getWithNewType(builder.getInt32Ty());
  Value *whole =
      builder.CreateIntrinsic(llvm::Intrinsic::fptoui_sat, {bits, counter->getType()}, {counter});
  Value *of_seed = mix(builder, llvm::ConstantInt::get(bits, seed + golden));
  UniformKey key = {mix(builder, builder.CreateAdd(of_seed, whole)), nullptr};
  key.second = mix(builder, builder.CreateAdd(key.first, like(key.first, golden)));
  return key;
}

Value *emit_uniform(IRBuilderBase &builder, Value *places, const UniformKey &key) {
  Value *bits = mix(builder, builder.CreateXor(places, key.first));
  bits = mix(builder, builder.CreateAdd(bits, key.second));
  bits = builder.CreateLShr(bits, like(bits, 8));
  llvm::Type *floats = bits->getType()->getWithNewType(builder.getFloatTy());
  // 24 bits: the sign is clear, and nothing is rounded.
  return builder.CreateFMul(builder.CreateSIToFP(bits, floats),
                            llvm::ConstantFP::get(floats, 0x1p-24));
}

} // namespace cnnc::codegen
