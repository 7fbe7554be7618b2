#include "compiler/codegen/function_context.h"

#include <fmt/format.h>

namespace cnnc::codegen {

using llvm::BasicBlock;
using llvm::Value;
using loop::Index;
using loop::Term;

FunctionContext::FunctionContext(const loop::Kernel &of_kernel, llvm::Function *into,
                                 const Target &of_target, Diagnostics &diagnostics)
    : kernel(of_kernel), target(of_target), function(into), builder(into->getContext()),
      diagnostics_(diagnostics) {
  builder.SetInsertPoint(new_block("entry"));
}

void FunctionContext::fail(std::string message) {
  if (!failed_)
    diagnostics_.error(kernel.range, fmt::format("kernel @{}: {}", kernel.name, message));
  failed_ = true;
}

BasicBlock *FunctionContext::new_block(const std::string &name) {
  return BasicBlock::Create(function->getContext(), name, function);
}

llvm::Type *FunctionContext::vector_type(llvm::Type *element, int64_t lanes) {
  return lanes > 0 ? llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes)) : element;
}

llvm::ConstantInt *FunctionContext::i64(int64_t value) {
  return builder.getInt64(static_cast<uint64_t>(value));
}

Value *FunctionContext::offset(Value *pointer, int64_t bytes) {
  return bytes == 0 ? pointer : builder.CreateInBoundsPtrAdd(pointer, i64(bytes));
}

Value *FunctionContext::splat(Value *value) {
  if (value->getType()->isVectorTy() || !variables.in_lanes())
    return value;
  Value *&result = splats_[{value, variables.lanes}];
  if (!result)
    result = builder.CreateVectorSplat(static_cast<unsigned>(variables.lanes), value);
  return result;
}

std::optional<int64_t> FunctionContext::constant_of(const Term &term) const {
  if (term.kind == Term::Kind::variable) {
    auto constant = variables.constants.find(term.variable);
    return constant == variables.constants.end() ? std::nullopt : std::optional(constant->second);
  }
  if (term.kind == Term::Kind::lookup) {
    const loop::Table *table = kernel.find_table(term.variable);
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

std::optional<int64_t> FunctionContext::constant_of(const Index &index) const {
  int64_t result = index.constant;
  for (const Term &term : index.terms) {
    std::optional<int64_t> value = constant_of(term);
    if (!value)
      return std::nullopt;
    result += term.factor * *value;
  }
  return result;
}

} // namespace cnnc::codegen
