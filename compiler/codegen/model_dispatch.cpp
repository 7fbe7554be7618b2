#include "compiler/codegen/model_dispatch.h"

#include "compiler/codegen/target/llvm_target.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>
#include <numeric>

namespace cnnc::codegen {

namespace {

/// Indices of the variants. Those that need the fewest extensions come first.
std::vector<size_t> by_demand(std::span<const ModelDescription> variants) {
  std::vector<size_t> order(variants.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::ranges::stable_sort(
      order, {}, [&](size_t i) { return std::popcount(variants[i].target.required_cpu); });
  return order;
}

/// The last variant whose extensions the CPU has; the first when it has those of none.
void build_dispatch(llvm::Module &module, std::span<const ModelDescription> variants,
                    const std::vector<size_t> &order) {
  llvm::LLVMContext &context = module.getContext();
  auto *word = llvm::Type::getInt32Ty(context);
  auto *getter = llvm::FunctionType::get(llvm::PointerType::get(context, 0), false);
  auto declare = [&](llvm::FunctionType *type, const std::string &name) {
    auto *function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module);
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return function;
  };
  llvm::Function *features = declare(llvm::FunctionType::get(word, false), "cnnc_cpu_features");
  auto *exported = llvm::Function::Create(getter, llvm::GlobalValue::ExternalLinkage,
                                          model_symbol(variants.front()), module);
  exported->setDSOLocal(true);

  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", exported));
  llvm::Value *missing = builder.CreateNot(builder.CreateCall(features));
  llvm::Value *chosen = nullptr;
  for (size_t i : order) {
    llvm::Function *function = declare(getter, variant_symbol(variants[i].name, i));
    llvm::Value *lacks =
        builder.CreateAnd(missing, llvm::ConstantInt::get(word, variants[i].target.required_cpu));
    llvm::Value *runs = builder.CreateICmpEQ(lacks, llvm::ConstantInt::get(word, 0));
    chosen = chosen ? builder.CreateSelect(runs, function, chosen) : function;
  }
  builder.CreateRet(builder.CreateCall(getter, chosen));
}

} // namespace

std::optional<ObjectCode> compile_model_dispatch(std::span<const ModelDescription> variants,
                                                 Diagnostics &diagnostics) {
  std::vector<size_t> order = by_demand(variants);
  const Target &least = variants[order.front()].target; // the dispatch itself must run everywhere
  llvm::LLVMContext context;
  llvm::Module module(variants.front().name, context);
  set_module_target(module, least);
  build_dispatch(module, variants, order);
  std::optional<CompiledObject> object = compile_to_object(module, least, diagnostics);
  if (!object)
    return std::nullopt;
  return std::move(object->code);
}

std::string variant_symbol(std::string_view model, size_t index) {
  return fmt::format("{}_model.{}", c_identifier(model), index);
}

ModelDescription merge_variants(std::span<const ModelDescription> variants) {
  ModelDescription whole = variants.front();
  for (const ModelDescription &variant : variants.subspan(1)) {
    whole.target.cpu += ", " + variant.target.cpu;
    whole.workspace_size = std::max(whole.workspace_size, variant.workspace_size);
    whole.workspace_per_thread = std::max(whole.workspace_per_thread, variant.workspace_per_thread);
    whole.workspace_alignment = std::max(whole.workspace_alignment, variant.workspace_alignment);
    whole.weights_size += variant.weights_size;
  }
  return whole;
}

} // namespace cnnc::codegen
