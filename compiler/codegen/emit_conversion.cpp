#include "compiler/codegen/emit_conversion.h"

#include "compiler/codegen/emit_math.h"
#include "compiler/codegen/target/family.h"
#include "compiler/codegen/target/target.h"

#include <cmath>
#include <limits>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

namespace cnnc::codegen {

using llvm::IRBuilderBase;
using llvm::Value;

llvm::Type *element_type(IRBuilderBase &builder, DType dtype) {
  if (dtype == DType::f32)
    return builder.getFloatTy();
  if (dtype == DType::f64)
    return builder.getDoubleTy();
  return builder.getIntNTy(static_cast<unsigned>(8 * size_of(dtype)));
}

namespace {

/// The type with as many lanes as the value has.
llvm::Type *like(Value *value, llvm::Type *element) {
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return vector ? llvm::FixedVectorType::get(element, vector->getNumElements()) : element;
}

/// Between integer types.
Value *from_integer(IRBuilderBase &builder, Value *value, llvm::Type *type, DType from, DType to) {
  const bool is_unsigned = info_of(from).kind == DTypeKind::unsigned_integer;
  if (size_of(to) > size_of(from))
    return is_unsigned ? builder.CreateZExt(value, type) : builder.CreateSExt(value, type);
  auto bound = [&](int64_t number) {
    return llvm::ConstantInt::get(value->getType(), static_cast<uint64_t>(number), true);
  };
  // Only bounds that the type it comes from goes beyond, which it therefore has.
  if (least_of(from) < least_of(to))
    value = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smax, value, bound(least_of(to)));
  if (largest_of(from) > largest_of(to))
    value = builder.CreateBinaryIntrinsic(
        is_unsigned ? llvm::Intrinsic::umin : llvm::Intrinsic::smin, value, bound(largest_of(to)));
  return builder.CreateTrunc(value, type);
}

/// Shorthands for the bits of floats, of one or of a vector.
class Bits {
public:
  Bits(IRBuilderBase &builder, Value *value) : builder_(builder), value_(value) {}

  llvm::Type *type(llvm::Type *element) const { return like(value_, element); }
  llvm::Type *i32() const { return type(builder_.getInt32Ty()); }
  llvm::Constant *number(uint32_t bits) const { return llvm::ConstantInt::get(i32(), bits); }
  Value *as_float(Value *bits) const {
    return builder_.CreateBitCast(bits, type(builder_.getFloatTy()));
  }
  Value *of_float(Value *value) const { return builder_.CreateBitCast(value, i32()); }
  Value *to_i16(Value *bits) const {
    return builder_.CreateTrunc(bits, type(builder_.getInt16Ty()));
  }
  /// What makes of the last bit that stays an even one, where the bits that go are half of it.
  Value *round(Value *bits, unsigned gone) const {
    Value *odd = builder_.CreateAnd(builder_.CreateLShr(bits, gone), number(1));
    return builder_.CreateAdd(builder_.CreateAdd(bits, number((1U << (gone - 1)) - 1)), odd);
  }

private:
  IRBuilderBase &builder_;
  Value *value_;
};

/// A bf16 is the upper half of an f32.
Value *widened_bf16(IRBuilderBase &builder, Value *value) {
  const Bits bits(builder, value);
  return bits.as_float(builder.CreateShl(builder.CreateZExt(value, bits.i32()), 16));
}

Value *narrowed_bf16(IRBuilderBase &builder, Value *value) {
  const Bits bits(builder, value);
  Value *x = bits.of_float(value);
  Value *rounded = builder.CreateLShr(bits.round(x, 16), 16);
  Value *quiet = builder.CreateOr(builder.CreateLShr(x, 16), bits.number(0x40));
  return bits.to_i16(builder.CreateSelect(builder.CreateFCmpUNO(value, value), quiet, rounded));
}

/// The exponents of f16 begin at -15 and those of f32 at -127.
constexpr uint32_t exponents_apart = (127 - 15) << 23;

/// Without an instruction for it: LLVM would call a function of its own library.
Value *widened_f16(IRBuilderBase &builder, Value *value) {
  const Bits bits(builder, value);
  Value *x = builder.CreateZExt(value, bits.i32());
  Value *magnitude = builder.CreateAnd(x, bits.number(0x7fff));
  Value *sign = builder.CreateShl(builder.CreateAnd(x, bits.number(0x8000)), 16);
  Value *normal = builder.CreateAdd(builder.CreateShl(magnitude, 13), bits.number(exponents_apart));
  Value *beyond = builder.CreateICmpUGE(magnitude, bits.number(0x7c00)); // infinity and NaN
  normal =
      builder.CreateSelect(beyond, builder.CreateAdd(normal, bits.number(exponents_apart)), normal);
  llvm::Type *floats = bits.type(builder.getFloatTy());
  Value *small = bits.of_float(builder.CreateFMul(builder.CreateSIToFP(magnitude, floats),
                                                  llvm::ConstantFP::get(floats, 0x1p-24)));
  Value *is_small = builder.CreateICmpULT(magnitude, bits.number(0x400));
  return bits.as_float(builder.CreateOr(builder.CreateSelect(is_small, small, normal), sign));
}

Value *narrowed_f16(IRBuilderBase &builder, Value *value) {
  const Bits bits(builder, value);
  Value *x = bits.of_float(value);
  Value *magnitude = builder.CreateAnd(x, bits.number(0x7fffffff));
  Value *sign = builder.CreateLShr(builder.CreateAnd(x, bits.number(0x80000000)), 16);
  Value *normal = builder.CreateLShr(
      builder.CreateSub(bits.round(magnitude, 13), bits.number(exponents_apart)), 13);
  // Below the normal numbers: an addition to 0.5, whose last digit is 2^-24, rounds.
  Value *half = llvm::ConstantFP::get(value->getType(), 0.5);
  Value *small = builder.CreateSub(
      bits.of_float(builder.CreateFAdd(bits.as_float(magnitude), half)), bits.of_float(half));
  auto below = [&](uint32_t limit) { return builder.CreateICmpULT(magnitude, bits.number(limit)); };
  Value *result = builder.CreateSelect(below(0x38800000), small, normal);        // 2^-14
  result = builder.CreateSelect(below(0x477ff000), result, bits.number(0x7c00)); // 65520
  result = builder.CreateSelect(below(0x7f800001), result, bits.number(0x7e00));
  return bits.to_i16(builder.CreateOr(result, sign));
}

Value *widened(IRBuilderBase &builder, const Target &target, Value *value, DType from) {
  if (from == DType::bf16)
    return widened_bf16(builder, value);
  if (!target.family->converts_f16(target.required_cpu))
    return widened_f16(builder, value);
  return builder.CreateFPExt(builder.CreateBitCast(value, like(value, builder.getHalfTy())),
                             like(value, builder.getFloatTy()));
}

Value *narrowed(IRBuilderBase &builder, const Target &target, Value *value, DType to) {
  if (to == DType::bf16)
    return narrowed_bf16(builder, value);
  if (!target.family->converts_f16(target.required_cpu))
    return narrowed_f16(builder, value);
  return builder.CreateBitCast(builder.CreateFPTrunc(value, like(value, builder.getHalfTy())),
                               like(value, builder.getInt16Ty()));
}

Value *from_float(IRBuilderBase &builder, Value *value, llvm::Type *type, DType to) {
  if (is_float(to))
    return builder.CreateFPCast(value, type);
  if (size_of(to) <= 2) {
    // By way of i32: for vectors of fewer bits LLVM's conversions that saturate go lane by lane, and
    // without AVX-512 those of 32 bits do.
    auto bound = [&](int64_t number) {
      return llvm::ConstantFP::get(value->getType(), static_cast<double>(number));
    };
    llvm::Type *wide = like(value, builder.getInt32Ty());
    if (least_of(to) != 0) // which a comparison with the least makes of NaN, too
      value = builder.CreateSelect(builder.CreateFCmpORD(value, value), value, bound(0));
    value = emit_min(builder, emit_max(builder, value, bound(least_of(to))), bound(largest_of(to)));
    return builder.CreateTrunc(builder.CreateFPToSI(value, wide), type);
  }
  return builder.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, value->getType()}, {value});
}

} // namespace

Value *emit_conversion(IRBuilderBase &builder, const Target &target, Value *value, DType from,
                       DType to) {
  if (from == to)
    return value;
  if (is_narrow(from))
    return emit_conversion(builder, target, widened(builder, target, value, from), DType::f32, to);
  if (is_narrow(to))
    return narrowed(builder, target, emit_conversion(builder, target, value, from, DType::f32), to);
  llvm::Type *type = like(value, element_type(builder, to));
  llvm::Constant *zero = llvm::Constant::getNullValue(value->getType());
  if (to == DType::boolean)
    return builder.CreateZExt(is_float(from) ? builder.CreateFCmpUNE(value, zero)
                                             : builder.CreateICmpNE(value, zero),
                              type);
  if (is_float(from))
    return from_float(builder, value, type, to);
  if (from == DType::boolean) {
    Value *set = builder.CreateICmpNE(value, zero);
    return is_float(to) ? builder.CreateUIToFP(set, type) : builder.CreateZExt(set, type);
  }
  if (is_float(to))
    return info_of(from).kind == DTypeKind::unsigned_integer ? builder.CreateUIToFP(value, type)
                                                             : builder.CreateSIToFP(value, type);
  return from_integer(builder, value, type, from, to);
}

Value *emit_rounded(IRBuilderBase &builder, Value *x, int64_t zero_point, int64_t least,
                    int64_t largest) {
  // Before they are rounded, since whole bounds may stand on either side of that.
  auto bound = [&](int64_t number) {
    return llvm::ConstantFP::get(x->getType(), static_cast<double>(number - zero_point));
  };
  x = emit_min(builder, emit_max(builder, x, bound(least)), bound(largest));
  llvm::Type *wide = like(x, builder.getInt32Ty());
  Value *result = builder.CreateIntrinsic(llvm::Intrinsic::lrint, {wide, x->getType()}, {x});
  if (zero_point != 0)
    result = builder.CreateAdd(
        result, llvm::ConstantInt::get(wide, static_cast<uint64_t>(zero_point), true));
  return result;
}

Value *emit_number(IRBuilderBase &builder, double number, DType to) {
  llvm::Type *type = element_type(builder, to);
  if (is_narrow(to))
    return nullptr; // a constant of f32 that is rounded
  if (is_float(to))
    return llvm::ConstantFP::get(type, number);
  if (to == DType::boolean)
    return llvm::ConstantInt::get(type, number != 0);
  if (std::isnan(number))
    return llvm::ConstantInt::get(type, 0);
  // The largest i64 is no double; all that reach it saturate.
  const int64_t value = number >= static_cast<double>(largest_of(to)) ? largest_of(to)
                        : number <= static_cast<double>(least_of(to))
                            ? least_of(to)
                            : static_cast<int64_t>(number);
  return llvm::ConstantInt::get(type, static_cast<uint64_t>(value), true);
}

} // namespace cnnc::codegen
