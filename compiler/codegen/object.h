// Code generation: LLVM IR to machine code, without any IR optimisation, on as many threads as
// there are modules.
#pragma once

#include "compiler/codegen/inner_loop.h"
#include "compiler/codegen/target/target.h"
#include "compiler/support/jobs.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace cnnc::codegen {

/// The bytes of an ELF object file.
using ObjectCode = std::vector<char>;

/// What code generation tells of a module.
struct CodeNumbers {
  /// Vectors that innermost loops carry from iteration to iteration through the stack: accumulators
  /// of a tile that does not fit the registers. They cost up to two thirds of the speed; what else
  /// is spilled, even there, costs next to nothing.
  unsigned spilled_accumulators = 0;
  std::optional<InnerLoop> loop; // the weightiest of the innermost ones; empty: there are none
};

struct CompiledObject {
  ObjectCode code;
  CodeNumbers numbers;
};

/// Verifies the module and generates code for it. A module that is not valid is an error of the
/// compiler, reported as "internal error: ..." with the name of the function. Changes attributes of
/// the module's functions. Safe to call from several threads with modules of different contexts.
std::optional<CompiledObject> compile_to_object(llvm::Module &module, const Target &target,
                                                Diagnostics &diagnostics);

/// The same code as text.
std::optional<std::string> compile_to_assembly(llvm::Module &module, const Target &target,
                                               Diagnostics &diagnostics);

std::string print_llvm(const llvm::Module &module);

struct ModuleMaker {
  std::string what; // in messages: "the kernel @conv1"
  /// Makes one module in the given context. Called on a worker thread: reads shared data only.
  /// Returns null after reporting an error.
  std::function<std::unique_ptr<llvm::Module>(llvm::LLVMContext &, Diagnostics &)> make;
};

/// Compiles every module in a context of its own. Results and diagnostics come in the order of the
/// makers. Empty optional if any of them failed; lack of memory is an error, too.
std::optional<std::vector<CompiledObject>> compile_all(const std::vector<ModuleMaker> &makers,
                                                       const Target &target,
                                                       Diagnostics &diagnostics,
                                                       const JobOptions &options = {});

} // namespace cnnc::codegen
