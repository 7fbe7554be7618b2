#include "compiler/codegen/kernels.h"
#include "compiler/codegen/emit_llvm.h"
#include "compiler/codegen/target/llvm_target.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

namespace cnnc::codegen {

namespace {

template <class Print>
std::optional<std::string> print_all(std::span<const loop::Kernel> kernels, const Target &target,
                                     Diagnostics &diagnostics, Print print) {
  std::string result;
  for (const loop::Kernel &kernel : kernels) {
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> module =
        emit_llvm(kernel, kernel.name, target, context, diagnostics);
    if (!module)
      return std::nullopt;
    set_module_target(*module, target);
    std::optional<std::string> text = print(*module);
    if (!text)
      return std::nullopt;
    result += *text;
  }
  return result;
}

} // namespace

std::optional<std::vector<CompiledObject>>
compile_kernels(std::span<const loop::Kernel *const> kernels, const Target &target,
                Diagnostics &diagnostics, const JobOptions &options) {
  std::vector<ModuleMaker> makers;
  for (const loop::Kernel *kernel : kernels)
    makers.push_back({"the kernel @" + kernel->name,
                      [kernel, &target](llvm::LLVMContext &context, Diagnostics &errors) {
                        return emit_llvm(*kernel, kernel->name, target, context, errors);
                      }});
  return compile_all(makers, target, diagnostics, options);
}

std::optional<std::string> kernels_to_llvm(std::span<const loop::Kernel> kernels,
                                           const Target &target, Diagnostics &diagnostics) {
  return print_all(kernels, target, diagnostics,
                   [](llvm::Module &module) { return std::optional(print_llvm(module)); });
}

std::optional<std::string> kernels_to_assembly(std::span<const loop::Kernel> kernels,
                                               const Target &target, Diagnostics &diagnostics) {
  return print_all(kernels, target, diagnostics, [&](llvm::Module &module) {
    return compile_to_assembly(module, target, diagnostics);
  });
}

} // namespace cnnc::codegen
