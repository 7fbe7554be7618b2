// Loops to LLVM IR, one to one: what is not in the loops text does not happen here.
//
//   for         a do-while loop with a phi for the variable
//   accesses    a pointer per stream: accesses to one buffer whose subscripts differ by constants
//               share a phi that the loop steps by a constant; the differences become constant
//               offsets
//   reg         SSA values, one per element or vector, with a phi in each loop that assigns them
//   unroll      the body, once per iteration
//   vector      one vector instruction per statement
//   parallel    a function of its own, run through cnnc_parallel_for of the runtime
#pragma once

#include "compiler/codegen/target/target.h"
#include "ir/loop/loop.h"

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace cnnc::codegen {

/// A module with the function `void @symbol(ptr task, ptr buffers)`, buffers = inputs, then outputs
/// of the kernel. The kernel must have passed the verifier and have nothing left in its schedule or
/// locals. Null after an error has been reported.
std::unique_ptr<llvm::Module> emit_llvm(const loop::Kernel &kernel, const std::string &symbol,
                                        const Target &target, llvm::LLVMContext &context,
                                        Diagnostics &diagnostics);

} // namespace cnnc::codegen
