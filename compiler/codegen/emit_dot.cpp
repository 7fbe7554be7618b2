#include "compiler/codegen/emit_dot.h"

#include "compiler/codegen/target/family.h"
#include "compiler/codegen/target/target.h"

#include <utility>

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

namespace {

unsigned lanes_of(Value *value) {
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return vector ? vector->getNumElements() : 1;
}

/// Bytes 0 and 2 of each lane, or 1 and 3, as pairs of i16.
Value *pairs(IRBuilderBase &builder, Value *bytes, DType type, bool odd) {
  auto *halves = llvm::FixedVectorType::get(builder.getInt16Ty(), 2 * lanes_of(bytes));
  Value *words = builder.CreateBitCast(bytes, halves);
  Value *eight = llvm::ConstantInt::get(halves, 8);
  if (type == DType::u8)
    return odd ? builder.CreateLShr(words, eight)
               : builder.CreateAnd(words, llvm::ConstantInt::get(halves, 0xff));
  return builder.CreateAShr(odd ? words : builder.CreateShl(words, eight), eight);
}

/// In each lane the sum of the products of a pair: pmaddwd on x86-64, which LLVM knows by this form.
Value *add_products(IRBuilderBase &builder, Value *a, Value *b) {
  auto *wide = llvm::FixedVectorType::get(builder.getInt32Ty(), lanes_of(a));
  Value *products = builder.CreateMul(builder.CreateSExt(a, wide), builder.CreateSExt(b, wide));
  llvm::SmallVector<int> first, second;
  for (int lane = 0; lane < static_cast<int>(lanes_of(a)); lane += 2) {
    first.push_back(lane);
    second.push_back(lane + 1);
  }
  return builder.CreateAdd(builder.CreateShuffleVector(products, first),
                           builder.CreateShuffleVector(products, second));
}

/// Neighbours of 8 or 16 bits as pairs of i16.
Value *widened(IRBuilderBase &builder, Value *neighbours, DType type) {
  const unsigned count = 2 * lanes_of(neighbours);
  auto *words = llvm::FixedVectorType::get(builder.getInt16Ty(), count);
  if (size_of(type) == 2)
    return builder.CreateBitCast(neighbours, words);
  Value *bytes =
      builder.CreateBitCast(neighbours, llvm::FixedVectorType::get(builder.getInt8Ty(), count));
  return type == DType::u8 ? builder.CreateZExt(bytes, words) : builder.CreateSExt(bytes, words);
}

/// sum + the sums of pairs, which stand in vectors of one lane where the sum is a scalar.
Value *add_pairs(IRBuilderBase &builder, Value *sum, Value *pairs) {
  if (!sum->getType()->isVectorTy())
    pairs = builder.CreateExtractElement(pairs, uint64_t(0));
  return builder.CreateAdd(sum, pairs);
}

} // namespace

Value *emit_dot2(IRBuilderBase &builder, Value *sum, Value *x, DType x_type, Value *w,
                 DType w_type) {
  return add_pairs(builder, sum,
                   add_products(builder, widened(builder, x, x_type), widened(builder, w, w_type)));
}

Value *emit_dot4(IRBuilderBase &builder, const Target &target, Value *sum, Value *x, DType x_type,
                 Value *w, DType w_type) {
  if (x_type == DType::i8 && w_type == DType::u8) {
    std::swap(x, w);
    std::swap(x_type, w_type);
  }
  if (x_type == DType::u8 && w_type == DType::i8)
    if (Value *result = target.family->dot4(builder, target.required_cpu, sum, x, w))
      return result;
  for (const bool odd : {false, true}) {
    Value *added =
        add_products(builder, pairs(builder, x, x_type, odd), pairs(builder, w, w_type, odd));
    sum = add_pairs(builder, sum, added);
  }
  return sum;
}

} // namespace cnnc::codegen
