// The LLVM side of a Target, shared by the files of compiler/codegen.
#pragma once

#include "compiler/codegen/target/target.h"

#include <llvm/Target/TargetMachine.h>
#include <memory>
#include <shared_mutex>

namespace llvm {
class Module;
}

namespace cnnc::codegen {

/// A code generator for position-independent code, small code model.
std::unique_ptr<llvm::TargetMachine> create_target_machine(const Target &target);

/// Sets the triple and the data layout of an empty module, and again when it is compiled.
void set_module_target(llvm::Module &module, const Target &target);

/// Sets the attributes that choose the instruction set on every function with a body.
void set_function_targets(llvm::Module &module, const Target &target);

/// LLD resets all of LLVM's command line options, which code generation reads: linking holds this
/// lock exclusively, code generation holds it shared.
std::shared_mutex &llvm_options_mutex();

} // namespace cnnc::codegen
