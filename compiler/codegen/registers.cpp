#include "compiler/codegen/registers.h"

#include "compiler/codegen/emit_conversion.h"
#include "ir/loop/rewrite.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc::codegen {

using llvm::BasicBlock;
using llvm::PHINode;
using llvm::Value;
using loop::Access;
using loop::For;
using loop::LoopKind;
using loop::Register;
using loop::Statement;

namespace {

/// Lanes of the vector loops in which a register is accessed along its last dimension; 0 when none.
int64_t lanes_of(const std::string &name, std::span<const Statement> scope) {
  int64_t lanes = 0;
  loop::for_each_statement(scope, [&](const Statement &statement) {
    const auto *vector = std::get_if<For>(&statement.node);
    if (!vector || vector->kind != LoopKind::vector)
      return;
    loop::for_each_access(vector->body, [&](const Access &access) {
      if (access.buffer == name && !access.subscripts.empty() &&
          access.subscripts.back().as_variable() == vector->variable)
        lanes = std::max(lanes, vector->extent().value_or(0));
    });
  });
  return lanes;
}

} // namespace

void Registers::declare(const Register &reg, std::span<const Statement> scope) {
  Array array;
  array.shape = reg.shape;
  array.dtype = reg.dtype;
  array.type = element_type(builder_, reg.dtype);
  int64_t lanes = reg.shape.empty() ? 0 : lanes_of(reg.name, scope);
  array.lanes = lanes > 1 && lanes == reg.shape.back() ? lanes : 0;
  int64_t count = element_count(reg.shape).value_or(0) / std::max<int64_t>(1, array.lanes);
  if (count > 4096)
    return context_.fail(fmt::format("the register array {} has {} elements", reg.name, count));
  array.elements.assign(static_cast<size_t>(count), nullptr);
  arrays_[reg.name] = std::move(array);
}

std::optional<size_t> Registers::element_of(const Array &array, const Access &access) {
  size_t dims = array.shape.size() - (array.lanes > 0 ? 1 : 0);
  int64_t flat = 0;
  for (size_t i = 0; i < dims; ++i) {
    std::optional<int64_t> subscript = context_.constant_of(access.subscripts[i]);
    if (!subscript || *subscript < 0 || *subscript >= array.shape[i]) {
      context_.fail(
          fmt::format("subscript {} of the register {} is not a constant within its shape", i,
                      to_string(access)));
      return std::nullopt;
    }
    flat = flat * array.shape[i] + *subscript;
  }
  return static_cast<size_t>(flat);
}

bool Registers::is_whole(const Array &array, const Access &access) const {
  return context_.variables.in_lanes() && array.lanes > 0 &&
         access.subscripts.back().as_variable() == context_.variables.lane;
}

Value *Registers::load(const Access &access) {
  const Array &array = arrays_.at(access.buffer);
  std::optional<size_t> element = element_of(array, access);
  if (!element)
    return llvm::PoisonValue::get(array.type);
  Value *value = array.elements[*element];
  if (!value) {
    context_.fail(fmt::format("{} is read before it is assigned", to_string(access)));
    return llvm::PoisonValue::get(array.type);
  }
  if (array.lanes == 0 || is_whole(array, access))
    return value;
  std::optional<int64_t> lane = context_.constant_of(access.subscripts.back());
  if (!lane) {
    context_.fail(fmt::format("{} needs a constant lane", to_string(access)));
    return llvm::PoisonValue::get(array.type);
  }
  return builder_.CreateExtractElement(value, context_.i64(*lane));
}

void Registers::store(const Access &access, Value *value) {
  Array &array = arrays_.at(access.buffer);
  std::optional<size_t> element = element_of(array, access);
  if (!element)
    return;
  Value *&place = array.elements[*element];
  if (array.lanes == 0) {
    if (value->getType()->isVectorTy())
      return context_.fail(
          fmt::format("{} is assigned a different value in each lane", access.buffer));
    place = value;
    return;
  }
  if (is_whole(array, access)) {
    place = context_.splat(value);
    return;
  }
  std::optional<int64_t> lane = context_.constant_of(access.subscripts.back());
  if (!lane || value->getType()->isVectorTy())
    return context_.fail(fmt::format("{} needs a constant lane", to_string(access)));
  Value *before =
      place ? place : llvm::PoisonValue::get(FunctionContext::vector_type(array.type, array.lanes));
  place = builder_.CreateInsertElement(before, value, context_.i64(*lane));
}

Registers::Phis Registers::open_phis(std::span<const Statement> body, BasicBlock *preheader) {
  const std::set<std::string> assigned = loop::writes(body);
  Phis phis;
  for (auto &[name, array] : arrays_) {
    if (!assigned.contains(name))
      continue;
    llvm::Type *type = FunctionContext::vector_type(array.type, array.lanes);
    for (size_t i = 0; i < array.elements.size(); ++i) {
      PHINode *phi = builder_.CreatePHI(type, 2, name);
      phi->addIncoming(array.elements[i] ? array.elements[i] : llvm::PoisonValue::get(type),
                       preheader);
      array.elements[i] = phi;
      phis.emplace_back(name, i, phi);
    }
  }
  return phis;
}

void Registers::close_phis(const Phis &phis, BasicBlock *latch) {
  for (const auto &[name, element, phi] : phis) {
    Value *&now = arrays_.at(name).elements[element];
    if (now != phi) {
      phi->addIncoming(now, latch);
      continue;
    }
    Value *before = phi->getIncomingValue(0);
    phi->replaceAllUsesWith(before);
    now = before;
    phi->eraseFromParent();
  }
}

Registers::Values Registers::values_before(std::span<const Statement> body) const {
  const std::set<std::string> assigned = loop::writes(body);
  Values values;
  for (const auto &[name, array] : arrays_)
    if (assigned.contains(name))
      values[name] = array.elements;
  return values;
}

void Registers::merge(const Values &before, BasicBlock *guard, BasicBlock *last) {
  for (const auto &[name, elements] : before)
    for (size_t i = 0; i < elements.size(); ++i) {
      Value *&now = arrays_.at(name).elements[i];
      if (now == elements[i])
        continue;
      PHINode *phi = builder_.CreatePHI(now->getType(), 2);
      phi->addIncoming(elements[i] ? elements[i] : llvm::PoisonValue::get(now->getType()), guard);
      phi->addIncoming(now, last);
      now = phi;
    }
}

} // namespace cnnc::codegen
