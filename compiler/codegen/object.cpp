#include "compiler/codegen/object.h"

#include "compiler/codegen/target_internal.h"
#include "compiler/jobs.h"

#include <fmt/format.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/OptBisect.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

namespace cnnc::codegen {

namespace {

/// Keeps loop strength reduction from rewriting the addressing that the loop passes chose: it may
/// give every access of a kernel an induction variable of its own, and then spill them.
class KernelPassGate final : public llvm::OptPassGate {
public:
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef) const override {
    return pass != "Loop Strength Reduction";
  }
  bool isEnabled() const override { return true; }
};

KernelPassGate &kernel_pass_gate() {
  static KernelPassGate gate;
  return gate;
}

/// Turns what LLVM reports during code generation into diagnostics and stack sizes.
class DiagnosticCollector final : public llvm::DiagnosticHandler {
public:
  DiagnosticCollector(Diagnostics &diagnostics, std::vector<StackUse> &stacks)
      : diagnostics_(diagnostics), stacks_(stacks) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (const auto *stack = llvm::dyn_cast<llvm::DiagnosticInfoStackSize>(&info)) {
      stacks_.push_back({stack->getFunction().getName().str(), stack->getResourceSize()});
      return true;
    }
    std::string text;
    llvm::raw_string_ostream stream(text);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    if (info.getSeverity() == llvm::DS_Error)
      diagnostics_.error("internal error: code generation: " + text);
    else if (info.getSeverity() == llvm::DS_Warning)
      diagnostics_.warning({}, "code generation: " + text);
    return true;
  }

private:
  Diagnostics &diagnostics_;
  std::vector<StackUse> &stacks_;
};

/// Sets the pass gate and the diagnostic handler of a context, and puts the old ones back.
class ContextSettings {
public:
  ContextSettings(llvm::LLVMContext &context, Diagnostics &diagnostics,
                  std::vector<StackUse> &stacks)
      : context_(context), gate_(context.getOptPassGate()),
        handler_(context.getDiagnosticHandler()) {
    context.setOptPassGate(kernel_pass_gate());
    context.setDiagnosticHandler(std::make_unique<DiagnosticCollector>(diagnostics, stacks));
  }
  ~ContextSettings() {
    context_.setDiagnosticHandler(std::move(handler_));
    context_.setOptPassGate(gate_);
  }
  ContextSettings(const ContextSettings &) = delete;
  ContextSettings &operator=(const ContextSettings &) = delete;

private:
  llvm::LLVMContext &context_;
  llvm::OptPassGate &gate_;
  std::unique_ptr<llvm::DiagnosticHandler> handler_;
};

bool verify(const llvm::Module &module, Diagnostics &diagnostics) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (!llvm::verifyModule(module, &stream))
    return true;
  // Only now, since it takes as long again: which function is it?
  size_t errors = diagnostics.error_count();
  std::string details;
  llvm::raw_string_ostream function_stream(details);
  for (const llvm::Function &function : module) {
    if (llvm::verifyFunction(function, &function_stream))
      diagnostics.error(fmt::format("internal error: invalid code for function '{}': {}",
                                    function.getName().str(), details));
    details.clear();
  }
  if (diagnostics.error_count() == errors)
    diagnostics.error(
        fmt::format("internal error: invalid module '{}': {}", module.getModuleIdentifier(), text));
  return false;
}

bool generate(llvm::Module &module, const Target &target, llvm::CodeGenFileType type,
              const ObjectOptions &options, llvm::SmallVectorImpl<char> &output,
              std::vector<StackUse> &stacks, Diagnostics &diagnostics) {
  size_t errors = diagnostics.error_count();
  if (!verify(module, diagnostics))
    return false;
  set_module_target(module, target);
  set_function_targets(module, target);
  if (options.stack_limit)
    for (llvm::Function &function : module)
      if (!function.isDeclaration())
        function.addFnAttr("warn-stack-size", std::to_string(*options.stack_limit));
  std::shared_lock lock(llvm_options_mutex());
  ContextSettings settings(module.getContext(), diagnostics, stacks);
  auto machine = create_target_machine(target);
  llvm::legacy::PassManager passes;
  llvm::raw_svector_ostream stream(output);
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type)) {
    diagnostics.error("internal error: LLVM cannot emit files for " + target.triple);
    return false;
  }
  passes.run(module);
  return diagnostics.error_count() == errors;
}

struct Job {
  std::optional<CompiledObject> object;
  Diagnostics diagnostics;
};

void run_job(const ModuleMaker &maker, const Target &target, const ObjectOptions &options,
             Job &job) {
  llvm::LLVMContext context;
  if (std::unique_ptr<llvm::Module> module = maker(context, job.diagnostics))
    job.object = compile_to_object(*module, target, job.diagnostics, options);
}

} // namespace

std::optional<CompiledObject> compile_to_object(llvm::Module &module, const Target &target,
                                                Diagnostics &diagnostics,
                                                const ObjectOptions &options) {
  CompiledObject result;
  llvm::SmallVector<char, 0> code;
  if (!generate(module, target, llvm::CodeGenFileType::ObjectFile, options, code,
                result.large_stacks, diagnostics))
    return std::nullopt;
  result.code.assign(code.begin(), code.end());
  return result;
}

std::optional<std::string> compile_to_assembly(llvm::Module &module, const Target &target,
                                               Diagnostics &diagnostics) {
  std::vector<StackUse> stacks;
  llvm::SmallVector<char, 0> text;
  if (!generate(module, target, llvm::CodeGenFileType::AssemblyFile, {}, text, stacks, diagnostics))
    return std::nullopt;
  return std::string(text.begin(), text.end());
}

std::string print_llvm(const llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

std::optional<std::vector<CompiledObject>>
compile_all(const std::vector<ModuleMaker> &makers, const Target &target, Diagnostics &diagnostics,
            const ObjectOptions &options, unsigned threads) {
  std::vector<Job> jobs(makers.size());
  run_jobs(makers.size(), threads, [&](size_t i) { run_job(makers[i], target, options, jobs[i]); });
  std::vector<CompiledObject> objects;
  for (Job &job : jobs) {
    diagnostics.append(job.diagnostics);
    if (job.object)
      objects.push_back(std::move(*job.object));
  }
  if (objects.size() != makers.size())
    return std::nullopt;
  return objects;
}

} // namespace cnnc::codegen
