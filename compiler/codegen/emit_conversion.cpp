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
  switch (dtype) {
  case DType::f32:
    return builder.getFloatTy();
  case DType::f64:
    return builder.getDoubleTy();
  case DType::i32:
    return builder.getInt32Ty();
  case DType::i64:
    return builder.getInt64Ty();
  case DType::u8:
  case DType::boolean:
    return builder.getInt8Ty();
  }
  return nullptr;
}

namespace {

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

/// The type with as many lanes as the value has.
llvm::Type *like(Value *value, llvm::Type *element) {
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return vector ? llvm::FixedVectorType::get(element, vector->getNumElements()) : element;
}

Value *from_float(IRBuilderBase &builder, Value *value, llvm::Type *type, DType to) {
  if (is_float(to))
    return builder.CreateFPCast(value, type);
  if (to == DType::u8) {
    // By way of i32: for vectors of bytes LLVM's fptoui.sat goes lane by lane. NaN becomes 0.
    Value *least = llvm::ConstantFP::get(value->getType(), 0);
    Value *most = llvm::ConstantFP::get(value->getType(), 255);
    value = emit_min(builder, emit_max(builder, value, least), most);
    return builder.CreateTrunc(builder.CreateFPToSI(value, like(value, builder.getInt32Ty())),
                               type);
  }
  return builder.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, value->getType()}, {value});
}

/// Between integer types.
Value *from_integer(IRBuilderBase &builder, Value *value, llvm::Type *type, DType from, DType to) {
  if (size_of(to) > size_of(from))
    return from == DType::u8 ? builder.CreateZExt(value, type) : builder.CreateSExt(value, type);
  const bool byte = to == DType::u8;
  const int64_t least = byte ? 0 : std::numeric_limits<int32_t>::min();
  const int64_t most = byte ? 255 : std::numeric_limits<int32_t>::max();
  auto bound = [&](int64_t number) {
    return llvm::ConstantInt::get(value->getType(), static_cast<uint64_t>(number), true);
  };
  value = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smax, value, bound(least));
  value = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smin, value, bound(most));
  return builder.CreateTrunc(value, type);
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
    return from == DType::u8 ? builder.CreateUIToFP(value, type)
                             : builder.CreateSIToFP(value, type);
  return from_integer(builder, value, type, from, to);
}

Value *emit_number(IRBuilderBase &builder, double number, DType to) {
  llvm::Type *type = element_type(builder, to);
  if (is_float(to))
    return llvm::ConstantFP::get(type, number);
  if (to == DType::boolean)
    return llvm::ConstantInt::get(type, number != 0);
  auto saturated = [number]<class T>(T) {
    // The largest i64 is no double; all that reach it saturate.
    if (std::isnan(number))
      return T(0);
    if (number >= static_cast<double>(std::numeric_limits<T>::max()))
      return std::numeric_limits<T>::max();
    return number <= static_cast<double>(std::numeric_limits<T>::min())
               ? std::numeric_limits<T>::min()
               : static_cast<T>(number);
  };
  int64_t value = to == DType::u8    ? saturated(uint8_t())
                  : to == DType::i32 ? saturated(int32_t())
                                     : saturated(int64_t());
  return llvm::ConstantInt::get(type, static_cast<uint64_t>(value), true);
}

} // namespace cnnc::codegen
