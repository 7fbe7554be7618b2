// sin and cos. A float of 24 digits times 2^e has to be reduced by turns (2 pi) to an angle of at most
// 1/8 of a turn, for e up to 104, and some floats come as close as 2^-30 to a quarter of a turn. Hence
// 1 / (2 pi) is a sum of parts of 28 digits: each product with x is exact in double, and so is what
// remains of it when whole turns are taken away. The products of large x with the first parts are
// whole turns, those of small ones with the last parts nothing.
#include "compiler/codegen/emit_math.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <numbers>

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

namespace {

constexpr double turn_parts[] = {0x28be60dp-28,  0xb939105p-56,  0x4a7f09dp-84, 0x5f47d4dp-112,
                                 0x377036dp-140, 0x8a5664fp-168, 0x10e4107p-196};

/// x as quarters of a turn and the rest.
struct Angle {
  Value *quarters; // integers, of which the last two bits count
  Value *rest;     // floats, in radians
};

class Trigonometry {
public:
  Trigonometry(IRBuilderBase &builder, Value *x) : builder_(builder), floats_(x->getType()) {
    doubles_ = with_elements(builder.getDoubleTy());
    longs_ = with_elements(builder.getInt64Ty());
    integers_ = with_elements(builder.getInt32Ty());
    x_ = builder.CreateFPExt(x, doubles_);
  }

  /// The sine of x and so many quarters of a turn.
  Value *sine(int quarters_more) {
    Angle angle = reduced();
    Value *sine = sine_of(angle.rest), *cosine = cosine_of(angle.rest);
    Value *quarters = builder_.CreateAdd(angle.quarters, integer(quarters_more));
    Value *odd = builder_.CreateTrunc(quarters, with_elements(builder_.getInt1Ty()));
    Value *result = builder_.CreateSelect(odd, cosine, sine);
    // The second bit becomes the sign.
    Value *sign = builder_.CreateShl(builder_.CreateLShr(quarters, integer(1)), integer(31));
    result = builder_.CreateXor(builder_.CreateBitCast(result, integers_), sign);
    return builder_.CreateBitCast(result, floats_);
  }

private:
  llvm::Type *with_elements(llvm::Type *element) {
    auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(floats_);
    return vector ? llvm::FixedVectorType::get(element, vector->getNumElements()) : element;
  }
  Value *number(double value) { return llvm::ConstantFP::get(doubles_, value); }
  Value *single(double value) { return llvm::ConstantFP::get(floats_, value); }
  Value *integer(int value) {
    return llvm::ConstantInt::get(integers_, static_cast<uint64_t>(value));
  }

  /// Less whole turns. The addition of 1.5 * 2^52 rounds; larger ones are whole already.
  Value *without_turns(Value *turns) {
    Value *magic = number(0x1.8p52);
    Value *near = builder_.CreateFSub(builder_.CreateFAdd(turns, magic), magic);
    Value *magnitude = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, turns);
    Value *small = builder_.CreateFCmpOLT(magnitude, number(0x1p51));
    return builder_.CreateFSub(turns, builder_.CreateSelect(small, near, turns));
  }

  Angle reduced() {
    llvm::SmallVector<Value *> parts;
    for (double part : turn_parts)
      parts.push_back(without_turns(builder_.CreateFMul(x_, number(part))));
    Value *sum = parts[0];
    for (Value *part : llvm::ArrayRef(parts).drop_front())
      sum = builder_.CreateFAdd(sum, part);
    Value *magic = number(0x1.8p52);
    Value *shifted = emit_fma(builder_, sum, number(4), magic);
    Value *quarters = builder_.CreateFSub(shifted, magic);
    // Once more from the largest on: what remains small after the quarters is exact.
    Value *rest = emit_fma(builder_, quarters, number(-0.25), parts[0]);
    for (Value *part : llvm::ArrayRef(parts).drop_front())
      rest = builder_.CreateFAdd(rest, part);
    rest = builder_.CreateFMul(rest, number(2 * std::numbers::pi));
    Value *bits = builder_.CreateTrunc(builder_.CreateBitCast(shifted, longs_), integers_);
    return {bits, builder_.CreateFPTrunc(rest, floats_)};
  }

  /// Of angles up to an eighth of a turn: x + x^3 p(x^2).
  Value *sine_of(Value *x) {
    Value *square = builder_.CreateFMul(x, x);
    Value *p = polynomial(square, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
    return emit_fma(builder_, builder_.CreateFMul(p, square), x, x);
  }
  /// 1 - x^2 / 2 + x^4 p(x^2)
  Value *cosine_of(Value *x) {
    Value *square = builder_.CreateFMul(x, x);
    return polynomial(
        square, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1.0});
  }
  Value *polynomial(Value *x, std::initializer_list<double> coefficients) {
    Value *result = nullptr;
    for (double c : coefficients)
      result = result ? emit_fma(builder_, result, x, single(c)) : single(c);
    return result;
  }

  IRBuilderBase &builder_;
  llvm::Type *floats_, *doubles_ = nullptr, *longs_ = nullptr, *integers_ = nullptr;
  Value *x_ = nullptr;
};

} // namespace

Value *emit_sin(IRBuilderBase &builder, Value *x) { return Trigonometry(builder, x).sine(0); }

Value *emit_cos(IRBuilderBase &builder, Value *x) { return Trigonometry(builder, x).sine(1); }

} // namespace cnnc::codegen
