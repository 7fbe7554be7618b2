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
                     bool a_atom = a.term->kind != Term::Kind::variable;
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
    if (!lane_variable_.empty() && term.inner->uses(lane_variable_)) {
      address.by_lane = true;
      return;
    }
    if (std::optional<int64_t> inner = constant_of(*term.inner)) {
      Index value = term.kind == Term::Kind::quotient ? Index(*inner) / term.divisor
                                                      : Index(*inner) % term.divisor;
      address.offset += value.constant * factor;
      return;
    }
  }
  Index atom = term.kind == Term::Kind::variable ? Index::variable(term.variable) : *term.inner;
  std::optional<size_t> level = level_of(atom);
  if (!level)
    return fail(fmt::format("the loop variable of {} is not in scope", to_string(atom)));
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

std::optional<size_t> FunctionEmitter::level_of(const Index &index) const {
  size_t level = 0;
  for (const Term &term : index.terms) {
    if (term.kind != Term::Kind::variable) {
      std::optional<size_t> inner = level_of(*term.inner);
      if (!inner)
        return std::nullopt;
      level = std::max(level, *inner);
      continue;
    }
    if (constants_.contains(term.variable))
      continue;
    size_t found = levels_.size() - 1;
    while (found > 0 && levels_[found].variable != term.variable)
      --found;
    if (found == 0)
      return std::nullopt;
    level = std::max(level, found);
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
  for (const AddressTerm &term : terms) {
    Index atom;
    atom.terms.push_back(*term.term);
    atom.terms[0].factor = 1;
    key += fmt::format("|{}:{}:{}", term.level, to_string(atom), term.factor);
    // Constants of unrolled loops inside quotients are part of the address, too.
    if (term.term->kind != Term::Kind::variable)
      for (const auto &[variable, value] : constants_)
        if (term.term->inner->uses(variable))
          key += fmt::format("|{}={}", variable, value);
  }
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

std::optional<int64_t> FunctionEmitter::constant_of(const Index &index) const {
  int64_t result = index.constant;
  for (const Term &term : index.terms) {
    if (term.kind == Term::Kind::variable) {
      auto constant = constants_.find(term.variable);
      if (constant == constants_.end())
        return std::nullopt;
      result += term.factor * constant->second;
      continue;
    }
    std::optional<int64_t> inner = constant_of(*term.inner);
    if (!inner)
      return std::nullopt;
    Index value = term.kind == Term::Kind::quotient ? Index(*inner) / term.divisor
                                                    : Index(*inner) % term.divisor;
    result += term.factor * value.constant;
  }
  return result;
}

/// A loop variable, quotient or remainder without its factor, computed where its loop's body
/// begins.
Value *FunctionEmitter::value_of(const Term &term) {
  if (term.kind == Term::Kind::variable) {
    if (auto constant = constants_.find(term.variable); constant != constants_.end())
      return builder_.getInt64(static_cast<uint64_t>(constant->second));
    std::optional<size_t> level = level_of(Index::variable(term.variable));
    if (level)
      return levels_[*level].counter;
    fail(fmt::format("the loop variable {} is not in scope", term.variable));
    return builder_.getInt64(0);
  }
  std::optional<size_t> level = level_of(*term.inner);
  if (!level) {
    fail(fmt::format("{} uses a loop variable that is not in scope", to_string(*term.inner)));
    return builder_.getInt64(0);
  }
  Index atom;
  atom.terms.push_back(term);
  atom.terms[0].factor = 1;
  std::string key = to_string(atom);
  for (const auto &[variable, value] : constants_)
    if (term.inner->uses(variable))
      key += fmt::format("|{}={}", variable, value);
  if (auto known = levels_[*level].atoms.find(key); known != levels_[*level].atoms.end())
    return known->second;
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(levels_[*level].header->getTerminator());
  Value *inner = value_of(*term.inner);
  Value *divisor = builder_.getInt64(static_cast<uint64_t>(term.divisor));
  // Division rounding down: the remainder made non-negative first.
  Value *remainder = builder_.CreateSRem(inner, divisor);
  Value *negative = builder_.CreateICmpSLT(remainder, builder_.getInt64(0));
  remainder = builder_.CreateSelect(negative, builder_.CreateNSWAdd(remainder, divisor), remainder);
  Value *result = remainder;
  if (term.kind == Term::Kind::quotient)
    result = builder_.CreateExactSDiv(builder_.CreateNSWSub(inner, remainder), divisor);
  levels_[*level].atoms[key] = result;
  return result;
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
