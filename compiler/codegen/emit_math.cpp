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

/// The first and the last float whose exponential is a normal number.
constexpr double smallest_exp_argument = -0x1.5d589ep6, largest_exp_argument = 0x1.62e42ep6;

/// Horner's scheme with fused multiply-adds; coefficients from the highest power down.
Value *polynomial(IRBuilderBase &builder, Value *x, std::initializer_list<double> coefficients) {
  Value *result = nullptr;
  for (double c : coefficients)
    result = result ? emit_fma(builder, result, x, constant(x, c)) : constant(x, c);
  return result;
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
  // Adding 1.5 * 2^23 rounds to an integer n and leaves it in the low bits.
  Value *magic = constant(x, 12582912.0);
  Value *shifted = emit_fma(builder, x, constant(x, 1.44269504088896341), magic);
  Value *n = builder.CreateFSub(shifted, magic);
  Value *r = emit_fma(builder, n, constant(x, -0.693145751953125), x);
  r = emit_fma(builder, n, constant(x, -1.42860682030941723212e-6), r);
  Value *p = polynomial(
      builder, r,
      {1.381459328e-3, 8.368719277e-3, 4.166838828e-2, 1.666652061e-1, 4.999999345e-1, 1.0, 1.0});
  // Times 2^n: n is added to the exponent. The bits of the number added above are shifted out.
  llvm::Type *integers = integer_type(builder, x);
  Value *scale = builder.CreateShl(builder.CreateBitCast(shifted, integers),
                                   llvm::ConstantInt::get(integers, 23));
  Value *scaled = builder.CreateAdd(builder.CreateBitCast(p, integers), scale);
  Value *result = builder.CreateBitCast(scaled, x->getType());
  // Outside the exponents of normal numbers that sum means nothing. NaN is on neither side.
  result = builder.CreateSelect(builder.CreateFCmpOLT(x, constant(x, smallest_exp_argument)),
                                constant(x, 0), result);
  return builder.CreateSelect(builder.CreateFCmpOGT(x, constant(x, largest_exp_argument)),
                              llvm::ConstantFP::getInfinity(x->getType()), result);
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
