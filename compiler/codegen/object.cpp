#include "compiler/codegen/object.h"

#include "compiler/codegen/target/llvm_target.h"
#include "compiler/codegen/thread_sanitizer.h"

#include <fmt/format.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/CodeGen/MachineBasicBlock.h>
#include <llvm/CodeGen/MachineOptimizationRemarkEmitter.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/OptBisect.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <new>

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

/// Turns what LLVM reports during code generation into diagnostics and numbers.
class DiagnosticCollector final : public llvm::DiagnosticHandler {
public:
  DiagnosticCollector(Diagnostics &diagnostics, CodeNumbers &numbers)
      : diagnostics_(diagnostics), numbers_(numbers) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (const auto *missed = llvm::dyn_cast<llvm::MachineOptimizationRemarkMissed>(&info)) {
      count_spills(*missed);
      return true;
    }
    if (const auto *block = llvm::dyn_cast<llvm::MachineOptimizationRemarkAnalysis>(&info)) {
      look_at(*block->getBlock());
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

  /// The register allocator then reports every loop in which it has spilled something.
  bool isMissedOptRemarkEnabled(llvm::StringRef pass) const override { return pass == "regalloc"; }
  /// And the printer of the code every block, as it is in the end.
  bool isAnalysisRemarkEnabled(llvm::StringRef pass) const override {
    return pass == "asm-printer";
  }
  bool isAnyRemarkEnabled() const override { return true; }

private:
  void count_spills(const llvm::MachineOptimizationRemarkMissed &missed) {
    // Bodies of innermost loops are straight-line code: blocks that branch to themselves.
    const llvm::MachineBasicBlock *header = missed.getBlock();
    if (missed.getRemarkName() == "LoopSpillReloadCopies" && header->isSuccessor(header))
      numbers_.spilled_accumulators += spilled_accumulators(*header);
  }
  void look_at(const llvm::MachineBasicBlock &block) {
    const std::optional<InnerLoop> loop = inner_loop(block);
    if (loop && (!numbers_.loop || loop->outweighs(*numbers_.loop)))
      numbers_.loop = loop;
  }

  Diagnostics &diagnostics_;
  CodeNumbers &numbers_;
};

/// Sets the pass gate and the diagnostic handler of a context, and puts the old ones back.
class ContextSettings {
public:
  ContextSettings(llvm::LLVMContext &context, Diagnostics &diagnostics, CodeNumbers &numbers)
      : context_(context), gate_(context.getOptPassGate()),
        handler_(context.getDiagnosticHandler()) {
    context.setOptPassGate(kernel_pass_gate());
    context.setDiagnosticHandler(std::make_unique<DiagnosticCollector>(diagnostics, numbers));
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
              llvm::SmallVectorImpl<char> &output, CodeNumbers &numbers, Diagnostics &diagnostics) {
  size_t errors = diagnostics.error_count();
  if (!verify(module, diagnostics))
    return false;
  set_module_target(module, target);
  set_function_targets(module, target);
  std::shared_lock lock(llvm_options_mutex());
  ContextSettings settings(module.getContext(), diagnostics, numbers);
  auto machine = create_target_machine(target);
  if constexpr (sanitizes_threads)
    sanitize_threads(module, *machine);
  llvm::legacy::PassManager passes;
  llvm::raw_svector_ostream stream(output);
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type)) {
    diagnostics.error(fmt::format("internal error: LLVM cannot emit files for {}", target.cpu));
    return false;
  }
  passes.run(module);
  return diagnostics.error_count() == errors;
}

struct Job {
  std::optional<CompiledObject> object;
  Diagnostics diagnostics;
};

void run_job(const ModuleMaker &maker, const Target &target, Job &job) {
  try {
    llvm::LLVMContext context;
    if (std::unique_ptr<llvm::Module> module = maker.make(context, job.diagnostics))
      job.object = compile_to_object(*module, target, job.diagnostics);
  } catch (const std::bad_alloc &) {
    job.diagnostics.error("out of memory while compiling " + maker.what);
  }
}

} // namespace

std::optional<CompiledObject> compile_to_object(llvm::Module &module, const Target &target,
                                                Diagnostics &diagnostics) {
  CompiledObject result;
  llvm::SmallVector<char, 0> code;
  if (!generate(module, target, llvm::CodeGenFileType::ObjectFile, code, result.numbers,
                diagnostics))
    return std::nullopt;
  result.code.assign(code.begin(), code.end());
  return result;
}

std::optional<std::string> compile_to_assembly(llvm::Module &module, const Target &target,
                                               Diagnostics &diagnostics) {
  CodeNumbers ignored;
  llvm::SmallVector<char, 0> text;
  if (!generate(module, target, llvm::CodeGenFileType::AssemblyFile, text, ignored, diagnostics))
    return std::nullopt;
  return std::string(text.begin(), text.end());
}

std::string print_llvm(const llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

std::optional<std::vector<CompiledObject>> compile_all(const std::vector<ModuleMaker> &makers,
                                                       const Target &target,
                                                       Diagnostics &diagnostics,
                                                       const JobOptions &options) {
  std::vector<Job> jobs(makers.size());
  run_jobs(makers.size(), options, [&](size_t i) { run_job(makers[i], target, jobs[i]); });
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
