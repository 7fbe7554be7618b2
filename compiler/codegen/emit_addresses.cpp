// Addresses: the pointer streams of accesses, and the values of indices.
#include "compiler/codegen/function_emitter.h"

#include <algorithm>
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

namespace cnnc::codegen {

using llvm::PHINode;
using llvm::Value;
using loop::Access;
using loop::Index;
using loop::Term;

FunctionEmitter::Address FunctionEmitter::address_of(const Access &access) {
  Address address;
  auto found = buffers_.find(access.buffer);
  if (found == buffers_.end()) {
    fail(fmt::format("there is no buffer {}", access.buffer));
    return address;
  }
  address.buffer = &found->second;
  for (size_t i = 0; i < access.subscripts.size(); ++i) {
    int64_t stride = address.buffer->strides[i];
    address.offset += access.subscripts[i].constant * stride;
    for (const Term &term : access.subscripts[i].terms)
      add_term(address, term, stride);
  }
  std::stable_sort(address.terms.begin(), address.terms.end(),
                   [](const AddressTerm &a, const AddressTerm &b) {
                     bool a_atom = a.term->kind != Term::Kind::variable; // a value of its own
                     bool b_atom = b.term->kind != Term::Kind::variable;
                     return std::pair(a.level, a_atom) < std::pair(b.level, b_atom);
                   });
  return address;
}

void FunctionEmitter::add_term(Address &address, const Term &term, int64_t bytes) {
  int64_t factor = term.factor * bytes;
  if (term.kind == Term::Kind::variable) {
    if (term.variable == lane_variable_) {
      address.lane_step += factor;
      return;
    }
    if (auto constant = constants_.find(term.variable); constant != constants_.end()) {
      address.offset += constant->second * factor;
      return;
    }
  } else {
    if (!lane_variable_.empty() && term.uses(lane_variable_)) {
      address.by_lane = true;
      return;
    }
    if (std::optional<int64_t> constant = constant_of(term)) {
      address.offset += *constant * factor;
      return;
    }
  }
  std::optional<size_t> level = level_of(term);
  if (!level)
    return fail(fmt::format("the loop variable of {} is not in scope", spell_atom(term)));
  // Two subscripts may hold the same variable (a diagonal, or oh and kh of a stride): one stream
  // term.
  for (AddressTerm &other : address.terms)
    if (other.level == *level && term.kind == Term::Kind::variable &&
        other.term->kind == Term::Kind::variable && other.term->variable == term.variable) {
      other.factor += factor;
      return;
    }
  address.terms.push_back({*level, &term, factor});
}

std::optional<size_t> FunctionEmitter::level_of(const Term &term) const {
  if (term.kind == Term::Kind::variable) {
    if (constants_.contains(term.variable))
      return 0;
    size_t found = levels_.size() - 1;
    while (found > 0 && levels_[found].variable != term.variable)
      --found;
    return found > 0 ? std::optional(found) : std::nullopt;
  }
  if (term.divides())
    return level_of(*term.inner);
  size_t level = 0;
  for (const Index &subscript : term.subscripts) {
    std::optional<size_t> inner = level_of(subscript);
    if (!inner)
      return std::nullopt;
    level = std::max(level, *inner);
  }
  return level;
}

std::optional<size_t> FunctionEmitter::level_of(const Index &index) const {
  size_t level = 0;
  for (const Term &term : index.terms) {
    std::optional<size_t> own = level_of(term);
    if (!own)
      return std::nullopt;
    level = std::max(level, *own);
  }
  return level;
}

Value *FunctionEmitter::offset(Value *pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return builder_.CreateInBoundsPtrAdd(pointer, builder_.getInt64(static_cast<uint64_t>(bytes)));
}

Value *FunctionEmitter::pointer(const Address &address) {
  Value *base = stream(*address.buffer, address.terms);
  if (address.offset == 0)
    return base;
  // The same address is asked for again and again within a block; one instruction each is enough.
  Value *&result = loaded_[{base, (int64_t(1) << 62) + address.offset}];
  if (!result)
    result = offset(base, address.offset);
  return result;
}

/// The pointer at base + terms: a phi stepped by the loop of its last term when that is a plain
/// loop variable, else an addition at the begin of that loop's body. Made on first use.
Value *FunctionEmitter::stream(const MemoryBuffer &buffer, llvm::ArrayRef<AddressTerm> terms) {
  if (terms.empty())
    return buffer.base;
  const AddressTerm &last = terms.back();
  std::string key = buffer.name;
  for (const AddressTerm &term : terms)
    key += fmt::format("|{}:{}:{}", term.level, key_of(*term.term), term.factor);
  if (auto known = levels_[last.level].pointers.find(key);
      known != levels_[last.level].pointers.end())
    return known->second;
  Value *parent = stream(buffer, terms.drop_back());
  Level &level = levels_[last.level];
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  Value *result = nullptr;
  if (last.term->kind == Term::Kind::variable) {
    builder_.SetInsertPoint(level.preheader->getTerminator());
    auto *lower = llvm::dyn_cast<llvm::ConstantInt>(level.lower);
    Value *start =
        lower
            ? offset(parent, lower->getSExtValue() * last.factor)
            : builder_.CreateInBoundsPtrAdd(
                  parent, builder_.CreateNSWMul(
                              level.lower, builder_.getInt64(static_cast<uint64_t>(last.factor))));
    builder_.SetInsertPoint(level.header, level.header->begin());
    PHINode *phi = builder_.CreatePHI(builder_.getPtrTy(), 2, buffer.name);
    phi->addIncoming(start, level.preheader);
    level.stepped.emplace_back(phi, last.factor);
    result = phi;
  } else {
    Value *atom = value_of(*last.term);
    builder_.SetInsertPoint(level.header->getTerminator());
    result = builder_.CreateInBoundsPtrAdd(
        parent, builder_.CreateNSWMul(atom, builder_.getInt64(static_cast<uint64_t>(last.factor))));
  }
  level.pointers[key] = result;
  return result;
}

/// What tells the values of two terms, factors aside, from each other within a level. The constants
/// of unrolled loops that it uses are part of it.
std::string FunctionEmitter::key_of(const Term &term) const {
  std::string key = spell_atom(term);
  for (const auto &[variable, value] : constants_)
    if (term.kind != Term::Kind::variable && term.uses(variable))
      key += fmt::format("|{}={}", variable, value);
  return key;
}

std::optional<int64_t> FunctionEmitter::constant_of(const Term &term) const {
  if (term.kind == Term::Kind::variable) {
    auto constant = constants_.find(term.variable);
    return constant == constants_.end() ? std::nullopt : std::optional(constant->second);
  }
  if (term.kind == Term::Kind::lookup) {
    const loop::Table *table = kernel_.find_table(term.variable);
    return table ? table->looked_up(term, [this](const Index &i) { return constant_of(i); })
                 : std::nullopt;
  }
  std::optional<int64_t> inner = constant_of(*term.inner);
  if (!inner)
    return std::nullopt;
  Index value = term.kind == Term::Kind::quotient ? Index(*inner) / term.divisor
                                                  : Index(*inner) % term.divisor;
  return value.constant;
}

std::optional<int64_t> FunctionEmitter::constant_of(const Index &index) const {
  int64_t result = index.constant;
  for (const Term &term : index.terms) {
    std::optional<int64_t> value = constant_of(term);
    if (!value)
      return std::nullopt;
    result += term.factor * *value;
  }
  return result;
}

/// A term without its factor, computed where its loop's body begins.
Value *FunctionEmitter::value_of(const Term &term) {
  if (std::optional<int64_t> constant = constant_of(term))
    return builder_.getInt64(static_cast<uint64_t>(*constant));
  std::optional<size_t> level = level_of(term);
  if (!level) {
    fail(fmt::format("{} uses a loop variable that is not in scope", spell_atom(term)));
    return builder_.getInt64(0);
  }
  if (term.kind == Term::Kind::variable)
    return levels_[*level].counter;
  std::string key = key_of(term);
  if (auto known = levels_[*level].atoms.find(key); known != levels_[*level].atoms.end())
    return known->second;
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(levels_[*level].header->getTerminator());
  Value *result = term.kind == Term::Kind::lookup ? look_up(term) : divide(term);
  levels_[*level].atoms[key] = result;
  return result;
}

Value *FunctionEmitter::divide(const Term &term) {
  Value *inner = value_of(*term.inner);
  Value *divisor = builder_.getInt64(static_cast<uint64_t>(term.divisor));
  // Division rounding down: the remainder made non-negative first.
  Value *remainder = builder_.CreateSRem(inner, divisor);
  Value *negative = builder_.CreateICmpSLT(remainder, builder_.getInt64(0));
  remainder = builder_.CreateSelect(negative, builder_.CreateNSWAdd(remainder, divisor), remainder);
  if (term.kind == Term::Kind::remainder)
    return remainder;
  return builder_.CreateExactSDiv(builder_.CreateNSWSub(inner, remainder), divisor);
}

/// Nothing writes tables and inputs while the kernel runs, so that the load may stand as far
/// outside as its subscripts allow.
Value *FunctionEmitter::look_up(const Term &term) {
  const Access element_at{term.variable, term.subscripts}; // the address refers to it
  Address address = address_of(element_at);
  if (failed_)
    return builder_.getInt64(0);
  DType dtype = address.buffer->dtype;
  Value *place = offset(stream(*address.buffer, address.terms), address.offset);
  Value *element = builder_.CreateAlignedLoad(type_of(dtype), place,
                                              llvm::Align(static_cast<uint64_t>(size_of(dtype))));
  element = builder_.CreateSExt(element, builder_.getInt64Ty());
  if (term.limit == 0)
    return element;
  Value *zero = builder_.getInt64(0), *limit = builder_.getInt64(static_cast<uint64_t>(term.limit));
  Value *last = builder_.getInt64(static_cast<uint64_t>(term.limit - 1));
  Value *from_end = builder_.CreateAdd(element, limit);
  element = builder_.CreateSelect(builder_.CreateICmpSLT(element, zero), from_end, element);
  element = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, element, zero);
  return builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, element, last);
}

Value *FunctionEmitter::value_of(const Index &index) {
  Value *result = builder_.getInt64(static_cast<uint64_t>(index.constant));
  for (const Term &term : index.terms) {
    Value *product = builder_.CreateNSWMul(value_of(term),
                                           builder_.getInt64(static_cast<uint64_t>(term.factor)));
    result = builder_.CreateNSWAdd(result, product);
  }
  return result;
}

Value *FunctionEmitter::bound(const std::vector<Index> &alternatives, bool greatest) {
  Value *result = value_of(alternatives[0]);
  for (size_t i = 1; i < alternatives.size(); ++i)
    result =
        builder_.CreateBinaryIntrinsic(greatest ? llvm::Intrinsic::smax : llvm::Intrinsic::smin,
                                       result, value_of(alternatives[i]));
  return result;
}

} // namespace cnnc::codegen
