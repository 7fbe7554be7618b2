#include "compiler/codegen/emit_conversion.h"

#include "compiler/codegen/emit_math.h"

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

Value *emit_conversion(IRBuilderBase &builder, Value *value, DType from, DType to) {
  if (from == to)
    return value;
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
                    int64_t largest, DType to) {
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
  return builder.CreateZExtOrTrunc(result, like(x, element_type(builder, to)));
}

Value *emit_number(IRBuilderBase &builder, double number, DType to) {
  llvm::Type *type = element_type(builder, to);
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
