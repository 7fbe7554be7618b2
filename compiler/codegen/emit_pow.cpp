// x^y = 2^(y log2 |x|), computed in double: the product keeps the digits that it needs up to the
// largest exponents, and the result is as good as correctly rounded.
#include "compiler/codegen/emit_math.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <numbers>

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

namespace {

/// No call has two arguments that both emit: which comes first would be up to the compiler that
/// builds us.
class Pow {
public:
  Pow(IRBuilderBase &builder, Value *x, Value *y) : builder_(builder), floats_(x->getType()) {
    auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(floats_);
    auto wide = [&](llvm::Type *element) -> llvm::Type * {
      return vector ? llvm::FixedVectorType::get(element, vector->getNumElements()) : element;
    };
    doubles_ = wide(builder.getDoubleTy());
    integers_ = wide(builder.getInt64Ty());
    x_ = builder.CreateFPExt(x, doubles_);
    y_ = builder.CreateFPExt(y, doubles_);
  }

  Value *emit() {
    Value *magnitude = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x_);
    Value *log = log2(magnitude);
    log = select(equal(magnitude, 0), number(-infinity), log);
    log = select(equal(magnitude, infinity), number(infinity), log);
    Value *result = exp2(builder_.CreateFMul(y_, log));
    // |x| = 1 to an infinite power; the power of a NaN in x comes from no logarithm.
    result = select(equal(magnitude, 1), number(1), result);
    Value *nan = llvm::ConstantFP::getNaN(doubles_);
    result = select(builder_.CreateFCmpUNO(x_, y_), nan, result);
    result = with_sign(result, nan);
    Value *base_is_one = equal(x_, 1), *power_is_zero = equal(y_, 0);
    Value *one = builder_.CreateOr(power_is_zero, base_is_one);
    return builder_.CreateFPTrunc(select(one, number(1), result), floats_);
  }

private:
  static constexpr double infinity = __builtin_inf();

  Value *number(double value) { return llvm::ConstantFP::get(doubles_, value); }
  Value *integer(int64_t value) {
    return llvm::ConstantInt::get(integers_, static_cast<uint64_t>(value), true);
  }
  Value *equal(Value *a, double b) { return builder_.CreateFCmpOEQ(a, number(b)); }
  Value *select(Value *condition, Value *a, Value *b) {
    return builder_.CreateSelect(condition, a, b);
  }
  Value *polynomial(Value *x, std::initializer_list<double> coefficients) {
    Value *result = nullptr;
    for (double c : coefficients)
      result = result ? emit_fma(builder_, result, x, number(c)) : number(c);
    return result;
  }

  /// Of a normal positive number: m in [sqrt 1/2, sqrt 2) and its exponent apart,
  /// ln m = 2 artanh((m - 1) / (m + 1)).
  Value *log2(Value *x) {
    Value *bits = builder_.CreateBitCast(x, integers_);
    Value *shifted = builder_.CreateSub(bits, integer(0x3fe6a09e667f3bcd));
    // The exponent to double without a conversion, which vectors of SSE and AVX2 do not have: it is
    // put into the digits of 2^52 + 2^51.
    Value *exponent = builder_.CreateAShr(shifted, integer(52));
    Value *biased = builder_.CreateAdd(exponent, integer(0x4338000000000000));
    Value *e = builder_.CreateFSub(builder_.CreateBitCast(biased, doubles_), number(0x1.8p52));
    Value *m = builder_.CreateSub(bits, builder_.CreateShl(exponent, integer(52)));
    m = builder_.CreateBitCast(m, doubles_);
    Value *sum = builder_.CreateFAdd(m, number(1)), *difference = builder_.CreateFSub(m, number(1));
    Value *s = builder_.CreateFDiv(difference, sum);
    Value *square = builder_.CreateFMul(s, s);
    constexpr double c = 2 / std::numbers::ln2;
    Value *p = polynomial(square, {c / 15, c / 13, c / 11, c / 9, c / 7, c / 5, c / 3, c});
    return emit_fma(builder_, p, s, e);
  }

  Value *exp2(Value *x) {
    // Beyond that, floats are 0 or infinite; NaN is on neither side.
    x = select(builder_.CreateFCmpOGT(x, number(300)), number(300), x);
    x = select(builder_.CreateFCmpOLT(x, number(-300)), number(-300), x);
    Value *shifted = builder_.CreateFAdd(x, number(0x1.8p52));
    Value *r = builder_.CreateFSub(x, builder_.CreateFSub(shifted, number(0x1.8p52)));
    Value *z = builder_.CreateFMul(r, number(std::numbers::ln2));
    Value *p = polynomial(z, {1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24,
                              1.0 / 6, 0.5, 1, 1});
    Value *scale = builder_.CreateShl(builder_.CreateBitCast(shifted, integers_), integer(52));
    Value *scaled = builder_.CreateAdd(builder_.CreateBitCast(p, integers_), scale);
    return builder_.CreateBitCast(scaled, doubles_);
  }

  /// The power of a negative x: negative for odd y, NaN for a finite x and a y that is no integer.
  Value *with_sign(Value *power, Value *nan) {
    Value *half = builder_.CreateFMul(y_, number(0.5));
    Value *whole = builder_.CreateFCmpOEQ(rounded(y_), y_);
    Value *odd = builder_.CreateAnd(whole, builder_.CreateFCmpUNE(rounded(half), half));
    Value *negative = builder_.CreateICmpSLT(builder_.CreateBitCast(x_, integers_), integer(0));
    Value *negated = builder_.CreateFNeg(power);
    Value *result = select(builder_.CreateAnd(negative, odd), negated, power);
    Value *finite = builder_.CreateFCmpOGT(x_, number(-infinity));
    Value *below = builder_.CreateAnd(builder_.CreateFCmpOLT(x_, number(0)), finite);
    return select(builder_.CreateAnd(below, builder_.CreateNot(whole)), nan, result);
  }

  /// Floats of 2^24 and more are even already.
  Value *rounded(Value *x) {
    Value *small = builder_.CreateFCmpOLT(builder_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x),
                                          number(0x1p30));
    Value *near = builder_.CreateFSub(builder_.CreateFAdd(x, number(0x1.8p52)), number(0x1.8p52));
    return select(small, near, x);
  }

  IRBuilderBase &builder_;
  llvm::Type *floats_, *doubles_ = nullptr, *integers_ = nullptr;
  Value *x_ = nullptr, *y_ = nullptr;
};

} // namespace

Value *emit_pow(IRBuilderBase &builder, Value *x, Value *y) { return Pow(builder, x, y).emit(); }

} // namespace cnnc::codegen
