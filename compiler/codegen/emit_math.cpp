#include "compiler/codegen/emit_math.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

namespace {

Value *constant(Value *like, double value) { return llvm::ConstantFP::get(like->getType(), value); }

llvm::Type *integer_type(IRBuilderBase &builder, Value *like) {
  llvm::Type *element = builder.getInt32Ty();
  if (auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(like->getType()))
    return llvm::FixedVectorType::get(element, vector->getNumElements());
  return element;
}

/// Horner's scheme with fused multiply-adds; coefficients from the highest power down.
Value *polynomial(IRBuilderBase &builder, Value *x, std::initializer_list<double> coefficients) {
  Value *result = nullptr;
  for (double c : coefficients)
    result = result ? emit_fma(builder, result, x, constant(x, c)) : constant(x, c);
  return result;
}

/// 2^n as a float, for integers n in [-126, 127].
Value *power_of_two(IRBuilderBase &builder, Value *n, Value *like) {
  llvm::Type *type = n->getType();
  Value *biased = builder.CreateAdd(n, llvm::ConstantInt::get(type, 127));
  return builder.CreateBitCast(builder.CreateShl(biased, llvm::ConstantInt::get(type, 23)),
                               like->getType());
}

} // namespace

Value *emit_max(IRBuilderBase &builder, Value *a, Value *b) {
  return builder.CreateSelect(builder.CreateFCmpOGT(a, b), a, b);
}

Value *emit_min(IRBuilderBase &builder, Value *a, Value *b) {
  return builder.CreateSelect(builder.CreateFCmpOLT(a, b), a, b);
}

Value *emit_fma(IRBuilderBase &builder, Value *a, Value *b, Value *c) {
  return builder.CreateIntrinsic(llvm::Intrinsic::fmuladd, {a->getType()}, {a, b, c});
}

Value *emit_sqrt(IRBuilderBase &builder, Value *x) {
  return builder.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x);
}

Value *emit_exp(IRBuilderBase &builder, Value *x) {
  // Beyond these bounds the result is 0 or infinity anyway. NaN passes through both.
  x = emit_max(builder, constant(x, -104.0), x);
  x = emit_min(builder, constant(x, 89.0), x);
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  Value *magic = constant(x, 12582912.0);
  Value *shifted = emit_fma(builder, x, constant(x, 1.44269504088896341), magic);
  Value *n = builder.CreateFSub(shifted, magic);
  llvm::Type *integers = integer_type(builder, x);
  Value *integer = builder.CreateSub(builder.CreateBitCast(shifted, integers),
                                     llvm::ConstantInt::get(integers, 0x4B400000));
  Value *r = emit_fma(builder, n, constant(x, -0.693145751953125), x);
  r = emit_fma(builder, n, constant(x, -1.42860682030941723212e-6), r);
  Value *p = polynomial(builder, r,
                        {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                         1.6666665459e-1, 5.0000001201e-1});
  p = builder.CreateFAdd(emit_fma(builder, p, builder.CreateFMul(r, r), r), constant(x, 1.0));
  // 2^n in two factors, so that neither leaves the range of exponents.
  Value *half = builder.CreateAShr(integer, llvm::ConstantInt::get(integers, 1));
  p = builder.CreateFMul(p, power_of_two(builder, half, x));
  return builder.CreateFMul(p, power_of_two(builder, builder.CreateSub(integer, half), x));
}

Value *emit_tanh(IRBuilderBase &builder, Value *x) {
  Value *magnitude = builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
  Value *square = builder.CreateFMul(x, x);
  Value *p = polynomial(builder, square,
                        {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                         -3.33332819422e-1});
  Value *small = emit_fma(builder, builder.CreateFMul(p, square), x, x);
  Value *one = constant(x, 1.0);
  Value *exponential = emit_exp(builder, builder.CreateFAdd(magnitude, magnitude));
  Value *quotient = builder.CreateFDiv(constant(x, 2.0), builder.CreateFAdd(exponential, one));
  Value *large = builder.CreateFSub(one, quotient);
  Value *result =
      builder.CreateSelect(builder.CreateFCmpOLT(magnitude, constant(x, 0.625)), small, large);
  // The small one has the sign already, but for -0, where it is 0.
  return builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, x);
}

} // namespace cnnc::codegen
