#include "compiler/codegen/emit_math.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <span>

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
Value *polynomial(IRBuilderBase &builder, Value *x, std::span<const double> coefficients) {
  Value *result = nullptr;
  for (double c : coefficients)
    result = result ? emit_fma(builder, result, x, constant(x, c)) : constant(x, c);
  return result;
}
Value *polynomial(IRBuilderBase &builder, Value *x, std::initializer_list<double> coefficients) {
  return polynomial(builder, x, std::span(coefficients.begin(), coefficients.size()));
}

/// e^r for |r| up to ln 2 / 2.
constexpr double exp_terms[] = {
    1.381459328e-3, 8.368719277e-3, 4.166838828e-2, 1.666652061e-1, 4.999999345e-1, 1.0, 1.0};
constexpr std::span<const double> exp_coefficients = exp_terms;

/// x = n ln 2 + rest; n stands in the low bits of `shifted`.
struct Reduced {
  Value *rest, *shifted;
};

Reduced reduce_by_ln2(IRBuilderBase &builder, Value *x) {
  // Adding 1.5 * 2^23 rounds to an integer.
  Value *magic = constant(x, 12582912.0);
  Value *shifted = emit_fma(builder, x, constant(x, 1.44269504088896341), magic);
  Value *n = builder.CreateFSub(shifted, magic);
  Value *r = emit_fma(builder, n, constant(x, -0.693145751953125), x);
  r = emit_fma(builder, n, constant(x, -1.42860682030941723212e-6), r);
  return {r, shifted};
}

/// Times 2^n: n is added to the exponent. The bits of the number added above are shifted out.
Value *scale_by_power(IRBuilderBase &builder, Value *x, Value *shifted) {
  llvm::Type *integers = integer_type(builder, x);
  Value *exponent = builder.CreateShl(builder.CreateBitCast(shifted, integers),
                                      llvm::ConstantInt::get(integers, 23));
  Value *scaled = builder.CreateAdd(builder.CreateBitCast(x, integers), exponent);
  return builder.CreateBitCast(scaled, x->getType());
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
  Reduced reduced = reduce_by_ln2(builder, x);
  Value *p = polynomial(builder, reduced.rest, exp_coefficients);
  Value *result = scale_by_power(builder, p, reduced.shifted);
  // Outside the exponents of normal numbers that sum means nothing. NaN is on neither side.
  result = builder.CreateSelect(builder.CreateFCmpOLT(x, constant(x, smallest_exp_argument)),
                                constant(x, 0), result);
  return builder.CreateSelect(builder.CreateFCmpOGT(x, constant(x, largest_exp_argument)),
                              llvm::ConstantFP::getInfinity(x->getType()), result);
}

Value *emit_expm1(IRBuilderBase &builder, Value *x) {
  x = emit_max(builder, constant(x, -87), x); // from -17 on the result is -1
  Reduced reduced = reduce_by_ln2(builder, x);
  // r + r^2 q: the polynomial of e^r without its first two terms.
  Value *r = reduced.rest;
  Value *q = polynomial(builder, r, exp_coefficients.first(exp_coefficients.size() - 2));
  Value *p = emit_fma(builder, builder.CreateFMul(r, r), q, r);
  Value *one = constant(x, 1.0), *power = scale_by_power(builder, one, reduced.shifted);
  return emit_fma(builder, p, power, builder.CreateFSub(power, one));
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

Value *emit_abs(IRBuilderBase &builder, Value *x) {
  return builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
}

Value *emit_round(IRBuilderBase &builder, Value *x) {
  // Floats from 2^23 on are integers; NaN is on neither side.
  Value *magnitude = emit_abs(builder, x), *magic = constant(x, 8388608.0);
  Value *rounded = builder.CreateFSub(builder.CreateFAdd(magnitude, magic), magic);
  rounded = builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, rounded, x);
  return builder.CreateSelect(builder.CreateFCmpOLT(magnitude, magic), rounded, x);
}

Value *emit_floor(IRBuilderBase &builder, Value *x) {
  Value *rounded = emit_round(builder, x);
  Value *below = builder.CreateFSub(rounded, constant(x, 1.0));
  Value *result = builder.CreateSelect(builder.CreateFCmpOGT(rounded, x), below, rounded);
  return builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, x);
}

Value *emit_ceil(IRBuilderBase &builder, Value *x) {
  Value *rounded = emit_round(builder, x);
  Value *above = builder.CreateFAdd(rounded, constant(x, 1.0));
  Value *result = builder.CreateSelect(builder.CreateFCmpOLT(rounded, x), above, rounded);
  return builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, x);
}

Value *emit_log(IRBuilderBase &builder, Value *x) {
  llvm::Type *integers = integer_type(builder, x);
  auto integer = [&](int64_t number) {
    return llvm::ConstantInt::get(integers, static_cast<uint64_t>(number), true);
  };
  // x = 2^e * m with m in [sqrt 1/2, sqrt 2): the exponent of x / sqrt 1/2 is e.
  Value *bits = builder.CreateBitCast(x, integers);
  Value *shifted = builder.CreateSub(bits, integer(0x3f3504f3));
  Value *e = builder.CreateSIToFP(builder.CreateAShr(shifted, integer(23)), x->getType());
  Value *m = builder.CreateSub(bits, builder.CreateAnd(shifted, integer(-0x800000)));
  Value *r = builder.CreateFSub(builder.CreateBitCast(m, x->getType()), constant(x, 1.0));
  Value *p = polynomial(builder, r,
                        {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1,
                         1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1,
                         3.3333331174e-1});
  // The two parts of ln 2 times e, and r - r^2 / 2 + r^3 p.
  Value *square = builder.CreateFMul(r, r);
  Value *rest = builder.CreateFMul(builder.CreateFMul(p, r), square);
  rest = emit_fma(builder, e, constant(x, -2.12194440e-4), rest);
  rest = emit_fma(builder, square, constant(x, -0.5), rest);
  Value *result = emit_fma(builder, e, constant(x, 0.693359375), builder.CreateFAdd(r, rest));
  Value *zero = constant(x, 0), *infinity = llvm::ConstantFP::getInfinity(x->getType());
  result = builder.CreateSelect(builder.CreateFCmpOLT(x, infinity), result, x); // inf, NaN
  result = builder.CreateSelect(builder.CreateFCmpOLT(x, zero),
                                llvm::ConstantFP::getNaN(x->getType()), result);
  return builder.CreateSelect(builder.CreateFCmpOEQ(x, zero),
                              llvm::ConstantFP::getInfinity(x->getType(), true), result);
}

Value *emit_erf(IRBuilderBase &builder, Value *x) {
  Value *t = emit_abs(builder, x), *square = builder.CreateFMul(x, x);
  Value *small = polynomial(builder, square,
                            {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1,
                             -3.76125336e-1, 1.28379166e-1});
  // x * small + x would lose the product of the smallest x where it is not fused.
  small = builder.CreateFMul(builder.CreateFAdd(small, constant(x, 1.0)), x);
  Value *p = polynomial(builder, t,
                        {-1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2,
                         -1.06777877e-1, -6.34846687e-1, -1.28717512e-1});
  p = emit_fma(builder, p, t, builder.CreateFNeg(t));
  Value *large = builder.CreateFSub(constant(x, 1.0), emit_exp(builder, p));
  large = builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, large, x);
  // From 4 on erf is 1 in floats; the polynomial would overflow at infinity.
  Value *one = builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, constant(x, 1.0), x);
  large = builder.CreateSelect(builder.CreateFCmpOGT(t, constant(x, 4.0)), one, large);
  return builder.CreateSelect(builder.CreateFCmpOGT(t, constant(x, 0.927734375)), large, small);
}

Value *emit_normcdf(IRBuilderBase &builder, Value *x) {
  // Beyond 20 all is 0 or 1. p falls slowly, from 1/2 at 0: what is left of the smaller half beside
  // e^(-x^2 / 2), fitted by us in v = 0.4 |x| / (1 + 0.4 |x|).
  x = emit_max(builder, constant(x, -20), emit_min(builder, constant(x, 20), x));
  Value *w = builder.CreateFMul(emit_abs(builder, x), constant(x, 0.4));
  Value *v = builder.CreateFDiv(w, builder.CreateFAdd(w, constant(x, 1)));
  Value *p = polynomial(builder, v,
                        {-3.975424515e-2, 1.167711610e-1, -7.916233119e-2, -3.145619850e-3,
                         -1.141186282e-1, 5.175578368e-2, 5.649931625e-1, -9.973515605e-1, 0.5});
  Value *square = builder.CreateFMul(x, x);
  Value *bell = emit_exp(builder, builder.CreateFMul(square, constant(x, -0.5)));
  Value *smaller = builder.CreateFMul(p, bell);
  Value *larger = builder.CreateFSub(constant(x, 1), smaller);
  return builder.CreateSelect(builder.CreateFCmpOLT(x, constant(x, 0)), smaller, larger);
}

} // namespace cnnc::codegen
