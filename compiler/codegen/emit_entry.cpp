#include "compiler/codegen/emit_entry.h"

#include "compiler/codegen/target/family.h"
#include "compiler/codegen/target/target.h"

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

Value *emit_entry(IRBuilderBase &builder, const Target &target, Value *table, Value *x) {
  if (Value *result = target.family->entry(builder, target.required_cpu, table, x))
    return result;
  Value *places = builder.CreateAnd(x, llvm::ConstantInt::get(x->getType(), 255));
  auto byte = [&](Value *place) {
    Value *wide = builder.CreateZExt(place, builder.getInt64Ty());
    return builder.CreateAlignedLoad(
        builder.getInt8Ty(), builder.CreateGEP(builder.getInt8Ty(), table, wide), llvm::Align(1));
  };
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  if (!vector)
    return builder.CreateZExt(byte(places), x->getType());
  Value *bytes = llvm::PoisonValue::get(
      llvm::FixedVectorType::get(builder.getInt8Ty(), vector->getNumElements()));
  for (uint64_t lane = 0; lane < vector->getNumElements(); ++lane)
    bytes =
        builder.CreateInsertElement(bytes, byte(builder.CreateExtractElement(places, lane)), lane);
  return builder.CreateZExt(bytes, vector);
}

} // namespace cnnc::codegen
