#include "compiler/codegen/emit_llvm.h"
#include "compiler/codegen/function_emitter.h"

#include <fmt/format.h>
#include <llvm/IR/Module.h>

namespace cnnc::codegen {

namespace {

using loop::For;
using loop::Statement;

/// `void(ptr buffers, i64 begin, i64 end, i32 worker)`: iterations [begin, end) of a parallel loop.
llvm::Function *emit_parallel_body(const loop::Kernel &kernel, const For &loop,
                                   const std::string &symbol, llvm::Module &module,
                                   const FunctionEmitter &outer, const Target &target,
                                   Diagnostics &diagnostics) {
  llvm::LLVMContext &context = module.getContext();
  llvm::Type *pointer = llvm::PointerType::get(context, 0);
  llvm::Type *i64 = llvm::Type::getInt64Ty(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {pointer, i64, i64, llvm::Type::getInt32Ty(context)}, false);
  auto *function = llvm::Function::Create(type, llvm::Function::InternalLinkage, symbol, module);
  FunctionEmitter emitter(kernel, function, function->getArg(0), function->getArg(3), target,
                          diagnostics);
  emitter.share_scratch(outer);
  emitter.emit_loop(loop, function->getArg(1), function->getArg(2));
  emitter.finish();
  return emitter.failed() ? nullptr : function;
}

bool emit_parallel_call(const loop::Kernel &kernel, const For &loop, const std::string &symbol,
                        llvm::Module &module, llvm::Function *caller, FunctionEmitter &emitter,
                        const Target &target, Diagnostics &diagnostics) {
  std::optional<int64_t> extent = loop.extent();
  if (!extent || !(loop.lower[0] == loop::Index(0))) {
    diagnostics.error(kernel.range, fmt::format("kernel @{}: the parallel loop {} "
                                                "does not run from 0 to a constant",
                                                kernel.name, loop.variable));
    return false;
  }
  llvm::Function *body =
      emit_parallel_body(kernel, loop, symbol, module, emitter, target, diagnostics);
  if (!body)
    return false;
  llvm::IRBuilder<> &builder = emitter.builder();
  llvm::Type *pointer = builder.getPtrTy();
  llvm::FunctionCallee runtime = module.getOrInsertFunction(
      "cnnc_parallel_for", builder.getVoidTy(), pointer, pointer, pointer, builder.getInt64Ty());
  llvm::cast<llvm::Function>(runtime.getCallee())
      ->setVisibility(llvm::GlobalValue::HiddenVisibility);
  builder.CreateCall(runtime, {caller->getArg(0), body, caller->getArg(1),
                               builder.getInt64(static_cast<uint64_t>(*extent))});
  return true;
}

} // namespace

std::unique_ptr<llvm::Module> emit_llvm(const loop::Kernel &kernel, const std::string &symbol,
                                        const Target &target, llvm::LLVMContext &context,
                                        Diagnostics &diagnostics) {
  auto module = std::make_unique<llvm::Module>(kernel.name, context);
  llvm::Type *pointer = llvm::PointerType::get(context, 0);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, pointer}, false);
  auto *function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, symbol, *module);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->getArg(0)->setName("task");
  function->getArg(1)->setName("buffers");
  FunctionEmitter emitter(kernel, function, function->getArg(1), nullptr, target, diagnostics);
  if (!kernel.locals.empty()) {
    diagnostics.error(kernel.range, fmt::format("the kernel @{} still has the local buffer {} "
                                                "between its ops: run fuse_loops, which puts it "
                                                "into registers",
                                                kernel.name, kernel.locals[0].name));
    return nullptr;
  }
  int parallel_loops = 0;
  std::vector<Statement> pending; // what stands between two parallel loops
  for (const Statement &statement : kernel.body) {
    const auto *scratch = std::get_if<loop::Register>(&statement.node);
    if (scratch && scratch->in_memory) {
      emitter.declare_scratch(*scratch);
      continue;
    }
    const auto *loop = std::get_if<For>(&statement.node);
    if (!loop || loop->kind != loop::LoopKind::parallel) {
      pending.push_back(statement);
      continue;
    }
    emitter.emit(std::exchange(pending, {}));
    std::string name = fmt::format("{}.parallel{}", symbol, parallel_loops++);
    if (!emit_parallel_call(kernel, *loop, name, *module, function, emitter, target, diagnostics))
      return nullptr;
  }
  emitter.emit(pending);
  emitter.finish();
  if (emitter.failed())
    return nullptr;
  return module;
}

} // namespace cnnc::codegen
