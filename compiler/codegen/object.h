// Code generation: LLVM IR to machine code, without any IR optimisation, on as many threads as
// there are modules.
#pragma once

#include "compiler/codegen/target.h"

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

/// The stack frame of one function, in bytes.
struct StackUse {
  std::string function;
  uint64_t bytes = 0;
};

struct ObjectOptions {
  /// Functions whose stack frame is larger than this are listed in the result: a frame that large
  /// usually means that a tile did not fit the registers.
  std::optional<uint64_t> stack_limit;
};

struct CompiledObject {
  ObjectCode code;
  std::vector<StackUse> large_stacks; ///< in the order of the functions in the module
};

/// Verifies the module and generates code for it. A module that is not valid is an error of the
/// compiler, reported as "internal error: ..." with the name of the function. Changes attributes of
/// the module's functions. Safe to call from several threads with modules of different contexts.
std::optional<CompiledObject> compile_to_object(llvm::Module &module, const Target &target,
                                                Diagnostics &diagnostics,
                                                const ObjectOptions &options = {});

/// The same code as text.
std::optional<std::string> compile_to_assembly(llvm::Module &module, const Target &target,
                                               Diagnostics &diagnostics);

std::string print_llvm(const llvm::Module &module);

/// Makes one module in the given context. Called on a worker thread: reads shared data only.
/// Returns null after reporting an error.
using ModuleMaker =
    std::function<std::unique_ptr<llvm::Module>(llvm::LLVMContext &, Diagnostics &)>;

/// Compiles every module in a context of its own on `threads` threads (0: one per core). Results
/// and diagnostics come in the order of the makers. Empty optional if any of them failed.
std::optional<std::vector<CompiledObject>>
compile_all(const std::vector<ModuleMaker> &makers, const Target &target, Diagnostics &diagnostics,
            const ObjectOptions &options = {}, unsigned threads = 0);

} // namespace cnnc::codegen
