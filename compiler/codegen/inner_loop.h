// What machine code makes of the innermost loop of a kernel: for those who want to know.
#pragma once

#include <cstdint>
#include <optional>

namespace llvm {
class MachineBasicBlock;
} // namespace llvm

namespace cnnc::codegen {

/// A loop of one block, in numbers for each of its iterations.
struct InnerLoop {
  unsigned instructions = 0;
  unsigned vector_instructions = 0; // that read or write a vector register
  unsigned vector_registers = 0;    // different ones
  unsigned accumulators = 0;        // of these, read before they are written: carried around
  unsigned spill_loads = 0, spill_stores = 0; // of vectors

  /// Whether more of a kernel's work is in this loop: sums are carried around, and of loops that
  /// carry as many, the larger one counts.
  bool outweighs(const InnerLoop &other) const;
};

/// The loop that this block is, behind register allocation; empty when it does not branch to itself.
std::optional<InnerLoop> inner_loop(const llvm::MachineBasicBlock &block);

/// Vectors that a loop of one block carries from iteration to iteration through the stack: their
/// slots are read before they are written. A slot that is written first holds something for a
/// while, one that is never written a constant. Called after register allocation.
unsigned spilled_accumulators(const llvm::MachineBasicBlock &loop);

} // namespace cnnc::codegen
