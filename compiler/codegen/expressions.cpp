#include "compiler/codegen/expressions.h"

#include "compiler/codegen/emit_conversion.h"
#include "compiler/codegen/emit_dot.h"
#include "compiler/codegen/emit_entry.h"
#include "compiler/codegen/emit_math.h"
#include "compiler/codegen/emit_random.h"
#include "ir/loop/integers.h"

#include <algorithm>
#include <cmath>
#include <llvm/IR/Intrinsics.h>
#include <optional>
#include <utility>

namespace cnnc::codegen {

using llvm::Value;
using loop::Access;
using loop::Expression;
using loop::Function;

Value *Expressions::evaluate(const Expression &expression) {
  switch (expression.kind) {
  case Expression::Kind::number:
    return llvm::ConstantFP::get(builder_.getFloatTy(), expression.number);
  case Expression::Kind::load:
    return load(expression.access);
  case Expression::Kind::call:
    return call(expression);
  case Expression::Kind::value:
    return index_as_number(expression.access.subscripts[0]);
  case Expression::Kind::uniform:
    return uniform(expression);
  }
  return nullptr;
}

Value *Expressions::index_as_number(const loop::Index &index) {
  Value *bits = index_as_bits(index);
  return builder_.CreateSIToFP(bits, bits->getType()->getWithNewType(builder_.getFloatTy()));
}

Value *Expressions::uniform(const Expression &expression) {
  Value *counter = evaluate(expression.arguments[0]);
  if (context_.failed())
    return nullptr;
  // Scalars where the lanes share the counter.
  UniformKey key = emit_uniform_key(builder_, static_cast<uint32_t>(expression.number), counter);
  Value *place = index_as_bits(expression.access.subscripts[0]);
  if (place->getType()->isVectorTy() || counter->getType()->isVectorTy()) {
    place = context_.splat(place);
    key = {context_.splat(key.first), context_.splat(key.second)};
  }
  return emit_uniform(builder_, place, key);
}

/// The low 32 bits of an index. In lanes that have a common step, the vector of the lanes'
/// distances is added to the index of the first.
Value *Expressions::index_as_bits(const loop::Index &index) {
  llvm::Type *i32 = builder_.getInt32Ty();
  const std::string &lane = context_.variables.lane;
  const int64_t lanes = context_.variables.lanes;
  auto is_lane = [&](const loop::Term &term) {
    return term.kind == loop::Term::Kind::variable && term.variable == lane;
  };
  if (!context_.variables.in_lanes() || !index.uses(lane))
    return builder_.CreateTrunc(addresses_.value_of(index), i32);
  bool steps = std::all_of(index.terms.begin(), index.terms.end(), [&](const loop::Term &term) {
    return is_lane(term) || !term.uses(lane);
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
    for (int64_t i = 0; i < lanes; ++i)
      distances.push_back(static_cast<uint32_t>(i * step));
    return builder_.CreateAdd(context_.splat(builder_.CreateTrunc(addresses_.value_of(first), i32)),
                              llvm::ConstantDataVector::get(builder_.getContext(), distances));
  }
  return by_lane(i32, [&] { return builder_.CreateTrunc(addresses_.value_of(index), i32); });
}

Value *Expressions::call(const Expression &expression) {
  if (Value *number = rounded_in_register(expression); number || context_.failed())
    return number;
  if (expression.function == Function::entry) {
    Value *element = entry(expression);
    return context_.failed()
               ? nullptr
               : emit_conversion(builder_, context_.target, element, DType::i32, DType::f32);
  }
  std::vector<Value *> a;
  bool vector = false;
  for (const Expression &argument : expression.arguments) {
    a.push_back(evaluate(argument));
    if (context_.failed())
      return nullptr;
    vector = vector || a.back()->getType()->isVectorTy();
  }
  if (vector)
    for (Value *&value : a)
      value = context_.splat(value);
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
  case Function::expm1:
    return emit_expm1(builder_, a[0]);
  case Function::normcdf:
    return emit_normcdf(builder_, a[0]);
  case Function::sin:
    return emit_sin(builder_, a[0]);
  case Function::cos:
    return emit_cos(builder_, a[0]);
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
  case Function::dot2: // in integers alone, as the verifier has seen to
  case Function::dot4:
  case Function::entry:
    break;
  case Function::select_less:
    return builder_.CreateSelect(builder_.CreateFCmpOLT(a[0], a[1]), a[2], a[3]);
  case Function::select_equal:
    return builder_.CreateSelect(builder_.CreateFCmpOEQ(a[0], a[1]), a[2], a[3]);
  }
  return nullptr;
}

Value *Expressions::accumulated(const loop::Assign &assign) {
  const Expression &value = assign.value;
  bool product = value.kind == Expression::Kind::call && value.function == Function::mul;
  Value *sum = load(assign.target);
  if (!sum || context_.failed())
    return nullptr;
  Value *a = evaluate(product ? value.arguments[0] : value);
  Value *b = product ? evaluate(value.arguments[1]) : nullptr;
  if (context_.failed())
    return nullptr;
  bool vector = sum->getType()->isVectorTy() || a->getType()->isVectorTy() ||
                (b && b->getType()->isVectorTy());
  if (vector) {
    sum = context_.splat(sum);
    a = context_.splat(a);
    b = b ? context_.splat(b) : nullptr;
  }
  return b ? emit_fma(builder_, a, b, sum) : builder_.CreateFAdd(sum, a);
}

Value *Expressions::load(const Access &access) {
  if (registers_.contains(access.buffer)) {
    Value *value = registers_.load(access);
    return emit_conversion(builder_, context_.target, value, registers_.dtype_of(access.buffer),
                           DType::f32);
  }
  Value *element = load_memory(access);
  if (context_.failed())
    return nullptr;
  const DType dtype = addresses_.find(access.buffer)->dtype;
  auto convert = [&] {
    return emit_conversion(builder_, context_.target, element, dtype, DType::f32);
  };
  if (!is_narrow(dtype))
    return convert();
  Value *&widened = widened_[element]; // one weight serves many pixels
  return widened ? widened : widened = convert();
}

std::optional<DType> Expressions::dtype_of(const std::string &name) const {
  if (registers_.contains(name))
    return registers_.dtype_of(name);
  const MemoryBuffer *buffer = addresses_.find(name);
  return buffer ? std::optional(buffer->dtype) : std::nullopt;
}

void Expressions::splat_together(std::initializer_list<Value **> values) {
  const bool vector =
      std::ranges::any_of(values, [](Value **value) { return (*value)->getType()->isVectorTy(); });
  for (Value **value : values)
    if (vector)
      *value = context_.splat(*value);
}

Value *Expressions::integer(const loop::Assign &assign) {
  if (!assign.accumulate)
    return integer(assign.value);
  Value *sum = registers_.contains(assign.target.buffer) ? registers_.load(assign.target)
                                                         : load_memory(assign.target);
  if (context_.failed())
    return nullptr;
  if (loop::dot_width(assign.value) > 0)
    return dot(sum, assign.value);
  Value *term = integer(assign.value);
  if (context_.failed())
    return nullptr;
  splat_together({&sum, &term});
  return builder_.CreateAdd(sum, term);
}

Value *Expressions::integer(const Expression &expression) {
  if (expression.kind == Expression::Kind::number)
    return emit_number(builder_, expression.number, DType::i32);
  if (expression.kind == Expression::Kind::load) {
    const std::string &name = expression.access.buffer;
    Value *element = registers_.contains(name) ? registers_.load(expression.access)
                                               : load_memory(expression.access);
    return context_.failed()
               ? nullptr
               : emit_conversion(builder_, context_.target, element, *dtype_of(name), DType::i32);
  }
  if (loop::dot_width(expression) > 0)
    return dot(builder_.getInt32(0), expression);
  Value *a = integer(expression.arguments[0]);
  Value *b = context_.failed() ? nullptr : integer(expression.arguments[1]);
  if (context_.failed())
    return nullptr;
  splat_together({&a, &b});
  if (expression.function == Function::min || expression.function == Function::max)
    return builder_.CreateBinaryIntrinsic(
        expression.function == Function::min ? llvm::Intrinsic::smin : llvm::Intrinsic::smax, a, b);
  return expression.function == Function::add   ? builder_.CreateAdd(a, b)
         : expression.function == Function::sub ? builder_.CreateSub(a, b)
                                                : builder_.CreateMul(a, b);
}

Value *Expressions::dot(Value *sum, const Expression &expression) {
  const Access &x = expression.arguments[0].access, &w = expression.arguments[1].access;
  const int64_t width = loop::dot_width(expression);
  Value *xs = neighbours(x, width);
  Value *ws = context_.failed() ? nullptr : neighbours(w, width);
  if (context_.failed())
    return nullptr;
  splat_together({&sum, &xs, &ws});
  const DType x_type = *dtype_of(x.buffer), w_type = *dtype_of(w.buffer);
  return width == 4 ? emit_dot4(builder_, context_.target, sum, xs, x_type, ws, w_type)
                    : emit_dot2(builder_, sum, xs, x_type, ws, w_type);
}

Value *Expressions::neighbours(const Access &access, int64_t count) {
  Addresses::Address address = addresses_.address_of(access);
  if (context_.failed())
    return nullptr;
  const bool vector = context_.variables.in_lanes();
  const int64_t size = size_of(address.buffer->dtype), bytes = count * size;
  const DType together = bytes == 4 ? DType::i32 : DType::i16;
  if (vector && (address.by_lane || (address.lane_step != 0 && address.lane_step != bytes)))
    return by_lane(element_type(builder_, together), [&] { return neighbours(access, count); });
  const int64_t lanes = vector && address.lane_step == bytes ? context_.variables.lanes : 0;
  return load_ahead(addresses_.pointer(address), lanes, together, size, *address.buffer);
}

Value *Expressions::entry(const Expression &expression) {
  const Expression &x = expression.arguments[1];
  const Access &table = expression.arguments[0].access;
  const Addresses::Address address = addresses_.address_of(table);
  if (context_.failed())
    return nullptr;
  if (context_.variables.in_lanes() && (address.by_lane || address.lane_step != 0))
    return by_lane(builder_.getInt32Ty(), [&] { return entry(expression); }); // a table for each
  Value *place = nullptr;
  const bool in_memory = x.kind == Expression::Kind::load && !registers_.contains(x.access.buffer);
  if (in_memory && size_of(*dtype_of(x.access.buffer)) == 1) {
    place = load_memory(x.access);
    if (!context_.failed())
      place =
          emit_conversion(builder_, context_.target, place, DType::u8, DType::i32); // its 8 bits
  } else {
    place = evaluate(x);
    if (auto *number = llvm::dyn_cast_or_null<llvm::SIToFPInst>(place);
        number && number->getOperand(0)->getType()->getScalarType() == builder_.getInt32Ty())
      place = number->getOperand(0); // as rounded_in_register() has made it
    else if (!context_.failed())     // whose lowest 8 bits stay in the table, whatever it is
      place = builder_.CreateFreeze(
          builder_.CreateFPToSI(place, place->getType()->getWithNewType(builder_.getInt32Ty())));
  }
  if (context_.failed())
    return nullptr;
  Value *result = emit_entry(builder_, context_.target, addresses_.pointer(address), place);
  if (address.buffer->dtype == DType::u8)
    return result;
  Value *above = llvm::ConstantInt::get(result->getType(), 24);
  return builder_.CreateAShr(builder_.CreateShl(result, above), above);
}

Value *Expressions::byte_entry(const Expression &value, DType to) {
  if (value.kind != Expression::Kind::call || value.function != Function::entry ||
      dtype_of(value.arguments[0].access.buffer) != to)
    return nullptr;
  Value *element = entry(value);
  return context_.failed() ? nullptr
                           : builder_.CreateTrunc(
                                 element, element->getType()->getWithNewType(builder_.getInt8Ty()));
}

namespace {

bool is_call(const Expression &expression, Function function) {
  return expression.kind == Expression::Kind::call && expression.function == function;
}

/// A whole number that is no larger than 2^20.
std::optional<int64_t> small_number(const Expression &expression) {
  const bool small = expression.kind == Expression::Kind::number &&
                     expression.number == std::floor(expression.number) &&
                     std::abs(expression.number) <= 0x1p20;
  return small ? std::optional(static_cast<int64_t>(expression.number)) : std::nullopt;
}

/// What lowering writes: round(x) + zero point, between bounds or above one.
struct Rounded {
  explicit Rounded(const Expression &value) {
    const Expression *inner = &value;
    auto number_of = [&](Function function) {
      std::optional<int64_t> number;
      if (is_call(*inner, function) && (number = small_number(inner->arguments[1])))
        inner = &inner->arguments[0];
      return number;
    };
    largest = number_of(Function::min);
    least = number_of(Function::max);
    zero_point = number_of(Function::add).value_or(0);
    if (is_call(*inner, Function::round))
      x = &inner->arguments[0];
  }
  const Expression *x = nullptr; // none: something else
  int64_t zero_point = 0;
  std::optional<int64_t> least, largest;
};

} // namespace

Value *Expressions::rounded(const Expression &value, DType to) {
  const Rounded rounded(value);
  // A store makes 0 of NaN: where that is not the least number there must be a bound.
  const bool bounded = rounded.least || (!rounded.largest && least_of(to) == 0);
  if (!rounded.x || !bounded || !is_integer(to))
    return nullptr;
  const int64_t least = std::max(least_of(to), rounded.least.value_or(0));
  const int64_t largest = std::min(largest_of(to), rounded.largest.value_or(largest_of(to)));
  if (least > largest || largest > int64_t(1) << 20)
    return nullptr; // f32 holds all that lies between the bounds
  Value *x = evaluate(*rounded.x);
  if (context_.failed())
    return nullptr;
  x = emit_rounded(builder_, x, rounded.zero_point, least, largest);
  return builder_.CreateSExtOrTrunc(x, x->getType()->getWithNewType(element_type(builder_, to)));
}

Value *Expressions::rounded_in_register(const Expression &value) {
  const Rounded rounded(value);
  if (!rounded.x || rounded.least != 0 || rounded.largest != largest_of(DType::u8))
    return nullptr;
  Value *x = evaluate(*rounded.x);
  if (context_.failed())
    return nullptr;
  x = emit_rounded(builder_, x, rounded.zero_point, 0, largest_of(DType::u8));
  return emit_conversion(builder_, context_.target, x, DType::i32, DType::f32);
}

Value *Expressions::by_lane(llvm::Type *element, const std::function<Value *()> &value) {
  const int64_t lanes = context_.variables.lanes;
  Value *result = llvm::PoisonValue::get(FunctionContext::vector_type(element, lanes));
  OneLane one(context_.variables);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    one.set(lane);
    result = builder_.CreateInsertElement(result, value(), context_.i64(lane));
  }
  return result;
}

Value *Expressions::load_memory(const Access &access) {
  Addresses::Address address = addresses_.address_of(access);
  if (context_.failed())
    return nullptr;
  const DType dtype = address.buffer->dtype;
  const int64_t size = size_of(dtype);
  bool vector = context_.variables.in_lanes();
  if (vector && address.by_lane)
    if (Value *value = shuffled(access); value || context_.failed())
      return value;
  // No common step, or not adjacent: one load per lane.
  if (vector && (address.by_lane || (address.lane_step != 0 && address.lane_step != size)))
    return by_lane(element_type(builder_, dtype), [&] { return load_memory(access); });
  int64_t lanes = vector && address.lane_step == size ? context_.variables.lanes : 0;
  Value *place = addresses_.pointer(address);
  // Vectors of 16 bits share cache lines: the first of a line fetches ahead for all of it.
  if (is_narrow(dtype) && address.offset % 64 != 0)
    return load_at(place, lanes, dtype, size);
  return load_ahead(place, lanes, dtype, size, *address.buffer);
}

Value *Expressions::load_ahead(Value *place, int64_t lanes, DType dtype, int64_t align,
                               const MemoryBuffer &buffer) {
  if (lanes > 0 && buffer.prefetch > 0 &&
      !loaded_.contains({place, lanes, element_type(builder_, dtype)}))
    prefetches_.emplace_back(place, buffer.prefetch);
  return load_at(place, lanes, dtype, align);
}

Value *Expressions::load_at(Value *place, int64_t lanes, DType dtype, int64_t align) {
  llvm::Type *element = element_type(builder_, dtype);
  Value *&value = loaded_[{place, lanes, element}];
  if (!value)
    value = builder_.CreateAlignedLoad(FunctionContext::vector_type(element, lanes), place,
                                       llvm::Align(static_cast<uint64_t>(align)));
  return value;
}

namespace {

/// The numbers without repetitions, each divided by a unit, and for each number its place among
/// them.
struct Distinct {
  Distinct(llvm::ArrayRef<int64_t> numbers, int64_t unit) {
    for (int64_t number : numbers) {
      const int64_t quotient = (number - (number % unit + unit) % unit) / unit;
      auto found = std::find(values.begin(), values.end(), quotient);
      places.push_back(static_cast<int>(found - values.begin()));
      if (found == values.end())
        values.push_back(quotient);
    }
  }
  std::vector<int64_t> values;
  llvm::SmallVector<int> places;
};

} // namespace

Value *Expressions::shuffled(const Access &access) {
  const int64_t lanes = context_.variables.lanes;
  const MemoryBuffer &buffer = *addresses_.find(access.buffer);
  const int64_t size = size_of(buffer.dtype), row = lanes * size;
  // A row can be loaded whole when its buffer is made of rows, and all places but those within
  // the row are counted in rows.
  const size_t rank = buffer.strides.size();
  bool in_rows = rank >= 2 && buffer.strides[rank - 2] % row == 0;
  Value *stream = nullptr; // what the lanes share
  llvm::SmallVector<int64_t> offsets;
  {
    OneLane one(context_.variables);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      one.set(lane);
      Addresses::Address address = addresses_.address_of(access);
      if (context_.failed())
        return nullptr;
      for (const Addresses::AddressTerm &term : address.terms)
        in_rows = in_rows && term.factor % row == 0;
      offsets.push_back(std::exchange(address.offset, 0));
      Value *own = addresses_.pointer(address);
      if (lane > 0 && own != stream)
        return nullptr;
      stream = own;
    }
  }
  auto load = [&](int64_t offset, int64_t count) {
    return load_at(addresses_.behind(stream, offset), count, buffer.dtype, size);
  };
  const Distinct elements(offsets, 1), rows(offsets, row);
  if (elements.values.size() == 1)
    return load(elements.values[0], 0);
  // A shuffle that crosses quarters of the row takes as long as two broadcasts, and registers.
  auto in_quarter = [&](int64_t lane) {
    const int64_t place = (offsets[static_cast<size_t>(lane)] - rows.values[0] * row) / size;
    return place / 4 == lane / 4;
  };
  bool within_quarters = in_rows && rows.values.size() == 1;
  for (int64_t lane = 0; lane < lanes; ++lane)
    within_quarters = within_quarters && in_quarter(lane);
  if (within_quarters || (in_rows && rows.values.size() <= 2 && elements.values.size() > 2)) {
    Value *first = load(rows.values.front() * row, lanes);
    Value *last = load(rows.values.back() * row, lanes);
    llvm::SmallVector<int> mask;
    for (size_t lane = 0; lane < offsets.size(); ++lane) {
      const int64_t begin = rows.values[static_cast<size_t>(rows.places[lane])] * row;
      mask.push_back(static_cast<int>(rows.places[lane] * lanes + (offsets[lane] - begin) / size));
    }
    return builder_.CreateShuffleVector(first, last, mask);
  }
  if (elements.values.size() > 2)
    return nullptr;
  Value *first = context_.splat(load(elements.values[0], 0));
  Value *second = context_.splat(load(elements.values[1], 0));
  llvm::SmallVector<llvm::Constant *> is_second;
  for (int place : elements.places)
    is_second.push_back(builder_.getInt1(place == 1));
  return builder_.CreateSelect(llvm::ConstantVector::get(is_second), second, first);
}

void Expressions::store_memory(const Access &access, Value *value) {
  Addresses::Address address = addresses_.address_of(access);
  if (context_.failed())
    return;
  const int64_t size = size_of(address.buffer->dtype);
  const llvm::Align align(static_cast<uint64_t>(size));
  forget_loads();
  addresses_.forget_pointers();
  const bool vector = context_.variables.in_lanes();
  value = context_.splat(value);
  if (!vector || (!address.by_lane && address.lane_step == size)) {
    builder_.CreateAlignedStore(value, addresses_.pointer(address), align);
    return;
  }
  OneLane one(context_.variables);
  for (int64_t lane = 0; lane < context_.variables.lanes; ++lane) {
    one.set(lane);
    Value *element = builder_.CreateExtractElement(value, context_.i64(lane));
    Value *place = addresses_.pointer(addresses_.address_of(access));
    builder_.CreateAlignedStore(element, place, align);
  }
}

Expressions::Prefetches Expressions::swap_prefetches(Prefetches prefetches) {
  return std::exchange(prefetches_, std::move(prefetches));
}

/// Each asks for the cache line at some distance, which may lie beyond the buffer, into the second
/// level.
void Expressions::emit_prefetches() {
  for (const auto &[loaded, distance] : prefetches_) {
    Value *place = builder_.CreatePtrAdd(loaded, context_.i64(distance));
    Value *read = builder_.getInt32(0), *locality = builder_.getInt32(2),
          *data = builder_.getInt32(1);
    builder_.CreateIntrinsic(llvm::Intrinsic::prefetch, {place->getType()},
                             {place, read, locality, data});
  }
}

} // namespace cnnc::codegen
