// Emits the statements of one function. Used by emit_llvm.cpp only.
//
// Owns the parts: the loops and buffers (addresses.h), the register arrays (registers.h) and the
// values (expressions.h). What is left to do here is the shape: a serial loop becomes blocks
//
//   pre -> head (phis) -> body .. -> latch (steps, prefetches) -> head or exit
//
// with a guard around it where it may run no time at all, an unrolled loop its body once for each
// iteration, a vector loop its body once.
//
// Invariants: registers and scratch end with the statements among which they are declared. A block
// that begins knows no loaded values, pointers or splats of another.
#pragma once

#include "compiler/codegen/expressions.h"

namespace cnnc::codegen {

class FunctionEmitter {
public:
  /// Emits into `function`, whose argument `buffers` points to the table of buffer pointers, the
  /// kernel's scratch memory last if it has any. `worker`: who runs this share of a parallel loop;
  /// null outside of one.
  FunctionEmitter(const loop::Kernel &kernel, llvm::Function *function, llvm::Value *buffers,
                  llvm::Value *worker, const Target &target, Diagnostics &diagnostics);

  /// Makes scratch known from here on; a worker also knows what is declared around its loop.
  void declare_scratch(const loop::Register &scratch) { addresses_.declare_scratch(scratch); }
  void share_scratch(const FunctionEmitter &outer) { addresses_.share_scratch(outer.addresses_); }

  void emit(const std::vector<loop::Statement> &body);
  /// A loop whose bounds are values: a share of a parallel loop. begin < end is given.
  void emit_loop(const loop::For &loop, llvm::Value *begin, llvm::Value *end);
  void finish() { builder_.CreateRetVoid(); }

  llvm::IRBuilder<> &builder() { return builder_; }
  bool failed() const { return context_.failed(); }

private:
  void emit(const loop::Statement &statement);
  void emit_for(const loop::For &loop);
  void emit_serial(const loop::For &loop);
  void emit_guarded(const loop::For &loop, llvm::Value *lower, llvm::Value *upper);
  void emit_unrolled(const loop::For &loop, int64_t first, int64_t count);
  void emit_vector(const loop::For &loop);
  void emit_assign(const loop::Assign &assign);
  /// What a plain copy between buffers stores; null when the assignment is none.
  llvm::Value *copied(const loop::Assign &assign, DType to);
  llvm::Value *computed(const loop::Assign &assign, DType to);
  void enter(llvm::BasicBlock *block);

  FunctionContext context_;
  llvm::IRBuilder<> &builder_;
  Addresses addresses_;
  Registers registers_;
  Expressions expressions_;
};

} // namespace cnnc::codegen
