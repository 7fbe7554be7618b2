// Expressions of the loops text, on scalars and on the lanes of a vector loop.
#include "compiler/codegen/emit_conversion.h"
#include "compiler/codegen/emit_math.h"
#include "compiler/codegen/function_emitter.h"

#include <algorithm>
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>
#include <utility>

namespace cnnc::codegen {

using llvm::Value;
using loop::Access;
using loop::Expression;
using loop::Function;

Value *FunctionEmitter::splat(Value *value) {
  if (value->getType()->isVectorTy() || lane_variable_.empty())
    return value;
  Value *&result = splats_[{value, lanes_}];
  if (!result)
    result = builder_.CreateVectorSplat(static_cast<unsigned>(lanes_), value);
  return result;
}

Value *FunctionEmitter::evaluate(const Expression &expression) {
  switch (expression.kind) {
  case Expression::Kind::number:
    return llvm::ConstantFP::get(builder_.getFloatTy(), expression.number);
  case Expression::Kind::load:
    return load(expression.access);
  case Expression::Kind::call:
    return evaluate_call(expression);
  case Expression::Kind::value:
    return evaluate_index(expression.access.subscripts[0]);
  }
  return nullptr;
}

/// An index as a number, by way of 32 bits. In lanes that have a common step, the vector of the
/// lanes' distances is added to the index of the first.
Value *FunctionEmitter::evaluate_index(const loop::Index &index) {
  llvm::Type *i32 = builder_.getInt32Ty();
  auto is_lane = [this](const loop::Term &term) {
    return term.kind == loop::Term::Kind::variable && term.variable == lane_variable_;
  };
  if (lane_variable_.empty() || !index.uses(lane_variable_)) {
    Value *number = builder_.CreateTrunc(value_of(index), i32);
    return builder_.CreateSIToFP(number, builder_.getFloatTy());
  }
  Value *numbers = nullptr;
  bool steps = std::all_of(index.terms.begin(), index.terms.end(), [&](const loop::Term &term) {
    return is_lane(term) || !term.uses(lane_variable_);
  });
  if (steps) {
    loop::Index first;
    int64_t step = 0;
    first.constant = index.constant;
    for (const loop::Term &term : index.terms)
      if (is_lane(term))
        step = term.factor;
      else
        first.terms.push_back(term);
    llvm::SmallVector<uint32_t> distances;
    for (int64_t lane = 0; lane < lanes_; ++lane)
      distances.push_back(static_cast<uint32_t>(lane * step));
    numbers = builder_.CreateAdd(splat(builder_.CreateTrunc(value_of(first), i32)),
                                 llvm::ConstantDataVector::get(builder_.getContext(), distances));
  } else {
    numbers = by_lane(i32, [&] { return builder_.CreateTrunc(value_of(index), i32); });
  }
  return builder_.CreateSIToFP(numbers, vector_type(builder_.getFloatTy(), lanes_));
}

Value *FunctionEmitter::evaluate_call(const Expression &expression) {
  std::vector<Value *> a;
  bool vector = false;
  for (const Expression &argument : expression.arguments) {
    a.push_back(evaluate(argument));
    if (failed_)
      return nullptr;
    vector = vector || a.back()->getType()->isVectorTy();
  }
  if (vector)
    for (Value *&value : a)
      value = splat(value);
  switch (expression.function) {
  case Function::add:
    return builder_.CreateFAdd(a[0], a[1]);
  case Function::sub:
    return builder_.CreateFSub(a[0], a[1]);
  case Function::mul:
    return builder_.CreateFMul(a[0], a[1]);
  case Function::div:
    return builder_.CreateFDiv(a[0], a[1]);
  case Function::neg:
    return builder_.CreateFNeg(a[0]);
  case Function::min:
    return emit_min(builder_, a[0], a[1]);
  case Function::max:
    return emit_max(builder_, a[0], a[1]);
  case Function::pow:
    return emit_pow(builder_, a[0], a[1]);
  case Function::exp:
    return emit_exp(builder_, a[0]);
  case Function::log:
    return emit_log(builder_, a[0]);
  case Function::erf:
    return emit_erf(builder_, a[0]);
  case Function::abs:
    return emit_abs(builder_, a[0]);
  case Function::floor:
    return emit_floor(builder_, a[0]);
  case Function::ceil:
    return emit_ceil(builder_, a[0]);
  case Function::round:
    return emit_round(builder_, a[0]);
  case Function::tanh:
    return emit_tanh(builder_, a[0]);
  case Function::sqrt:
    return emit_sqrt(builder_, a[0]);
  case Function::fma:
    return emit_fma(builder_, a[0], a[1], a[2]);
  case Function::select_less:
    return builder_.CreateSelect(builder_.CreateFCmpOLT(a[0], a[1]), a[2], a[3]);
  case Function::select_equal:
    return builder_.CreateSelect(builder_.CreateFCmpOEQ(a[0], a[1]), a[2], a[3]);
  }
  return nullptr;
}

Value *FunctionEmitter::load(const Access &access) {
  auto reg = registers_.find(access.buffer);
  if (reg != registers_.end())
    return load_register(reg->second, access);
  Value *element = load_memory(access);
  return failed_ ? nullptr
                 : emit_conversion(builder_, element, buffers_.at(access.buffer).dtype, DType::f32);
}

Value *FunctionEmitter::by_lane(llvm::Type *element, const std::function<Value *()> &value) {
  Value *result = llvm::PoisonValue::get(vector_type(element, lanes_));
  std::string variable = std::exchange(lane_variable_, "");
  for (int64_t lane = 0; lane < lanes_; ++lane) {
    constants_[variable] = lane;
    result = builder_.CreateInsertElement(result, value(),
                                          builder_.getInt64(static_cast<uint64_t>(lane)));
  }
  constants_.erase(variable);
  lane_variable_ = variable;
  return result;
}

Value *FunctionEmitter::load_register(const RegisterArray &array, const Access &access) {
  std::optional<size_t> element = element_of(array, access);
  if (!element)
    return llvm::PoisonValue::get(array.type);
  Value *value = array.elements[*element];
  if (!value) {
    fail(fmt::format("{} is read before it is assigned", to_string(access)));
    return llvm::PoisonValue::get(array.type);
  }
  bool whole = !lane_variable_.empty() && array.lanes > 0 &&
               access.subscripts.back().as_variable() == lane_variable_;
  if (array.lanes == 0 || whole)
    return value;
  std::optional<int64_t> lane = constant_of(access.subscripts.back());
  if (!lane) {
    fail(fmt::format("{} needs a constant lane", to_string(access)));
    return llvm::PoisonValue::get(array.type);
  }
  return builder_.CreateExtractElement(value, builder_.getInt64(static_cast<uint64_t>(*lane)));
}

std::optional<size_t> FunctionEmitter::element_of(const RegisterArray &array,
                                                  const Access &access) {
  size_t dims = array.shape.size() - (array.lanes > 0 ? 1 : 0);
  int64_t flat = 0;
  for (size_t i = 0; i < dims; ++i) {
    std::optional<int64_t> subscript = constant_of(access.subscripts[i]);
    if (!subscript || *subscript < 0 || *subscript >= array.shape[i]) {
      fail(fmt::format("subscript {} of the register {} is not a constant within its shape", i,
                       to_string(access)));
      return std::nullopt;
    }
    flat = flat * array.shape[i] + *subscript;
  }
  return static_cast<size_t>(flat);
}

Value *FunctionEmitter::load_memory(const Access &access) {
  Address address = address_of(access);
  if (failed_)
    return nullptr;
  int64_t size = size_of(address.buffer->dtype);
  llvm::Type *element = type_of(address.buffer->dtype);
  llvm::Align align(static_cast<uint64_t>(size));
  bool vector = !lane_variable_.empty();
  // No common step, or not adjacent: one load per lane.
  if (vector && (address.by_lane || (address.lane_step != 0 && address.lane_step != size)))
    return by_lane(element, [&] { return load_memory(access); });
  Value *place = pointer(address);
  int64_t lanes = vector && address.lane_step == size ? lanes_ : 0;
  Value *&value = loaded_[{place, lanes}];
  if (!value) {
    value = builder_.CreateAlignedLoad(vector_type(element, lanes), place, align);
    if (lanes > 0 && address.buffer->prefetch > 0)
      prefetches_.emplace_back(place, address.buffer->prefetch);
  }
  return value;
}

/// Asks for the cache line at some distance, which may lie beyond the buffer, into the second
/// level.
void FunctionEmitter::emit_prefetch(Value *place, int64_t distance) {
  place = builder_.CreatePtrAdd(place, builder_.getInt64(static_cast<uint64_t>(distance)));
  Value *read = builder_.getInt32(0), *locality = builder_.getInt32(2),
        *data = builder_.getInt32(1);
  builder_.CreateIntrinsic(llvm::Intrinsic::prefetch, {place->getType()},
                           {place, read, locality, data});
}

} // namespace cnnc::codegen
