#include "compiler/codegen/inner_loop.h"

#include <llvm/CodeGen/MachineBasicBlock.h>
#include <llvm/CodeGen/MachineFrameInfo.h>
#include <llvm/CodeGen/MachineFunction.h>
#include <llvm/CodeGen/PseudoSourceValue.h>
#include <llvm/CodeGen/TargetRegisterInfo.h>
#include <llvm/CodeGen/TargetSubtargetInfo.h>
#include <set>
#include <tuple>

namespace cnnc::codegen {

namespace {

constexpr uint64_t smallest_vector = 16; // bytes; what is smaller are addresses and counters

/// The spill slot of a vector that an access touches, if it does.
std::optional<int> vector_slot(const llvm::MachineMemOperand &access,
                               const llvm::MachineFrameInfo &frame) {
  const auto *slot =
      llvm::dyn_cast_or_null<llvm::FixedStackPseudoSourceValue>(access.getPseudoValue());
  if (!slot || !frame.isSpillSlotObjectIndex(slot->getFrameIndex()) ||
      !access.getSize().hasValue() || access.getSize().getValue() < smallest_vector)
    return std::nullopt;
  return slot->getFrameIndex();
}

/// The number of the vector register that an operand is, whichever part of it; empty for others.
std::optional<unsigned> vector_register(const llvm::MachineOperand &operand,
                                        const llvm::TargetRegisterInfo &registers) {
  // What is implicit is no vector: flags and control words, some of which are in no class.
  if (!operand.isReg() || operand.isImplicit() || !operand.getReg().isPhysical())
    return std::nullopt;
  const llvm::MCRegister reg = operand.getReg().asMCReg();
  const llvm::TargetRegisterClass *kind = registers.getMinimalPhysRegClass(reg);
  if (!kind || registers.getSpillSize(*kind) < smallest_vector)
    return std::nullopt;
  return registers.getEncodingValue(reg);
}

/// Adds up the instructions of a block one after the other.
class Counter {
public:
  explicit Counter(const llvm::MachineFunction &function)
      : frame_(function.getFrameInfo()), registers_(*function.getSubtarget().getRegisterInfo()) {}

  void add(const llvm::MachineInstr &instruction) {
    if (instruction.isDebugInstr() || instruction.isMetaInstruction())
      return;
    ++loop_.instructions;
    const bool reads = add_registers(instruction.all_uses(), read_before_written_, false);
    const bool writes = add_registers(instruction.all_defs(), written_, true);
    if (reads || writes)
      ++loop_.vector_instructions;
    for (const llvm::MachineMemOperand *access : instruction.memoperands())
      if (vector_slot(*access, frame_))
        ++(access->isLoad() ? loop_.spill_loads : loop_.spill_stores);
  }

  InnerLoop result() const {
    InnerLoop loop = loop_;
    loop.vector_registers = static_cast<unsigned>(used_.size());
    for (unsigned reg : read_before_written_)
      if (written_.contains(reg))
        ++loop.accumulators;
    return loop;
  }

private:
  template <class Operands>
  bool add_registers(Operands &&operands, std::set<unsigned> &known, bool writes) {
    bool any = false;
    for (const llvm::MachineOperand &operand : operands)
      if (std::optional<unsigned> reg = vector_register(operand, registers_)) {
        any = true;
        used_.insert(*reg);
        if (writes || !written_.contains(*reg))
          known.insert(*reg);
      }
    return any;
  }

  const llvm::MachineFrameInfo &frame_;
  const llvm::TargetRegisterInfo &registers_;
  InnerLoop loop_;
  std::set<unsigned> used_, read_before_written_, written_;
};

} // namespace

bool InnerLoop::outweighs(const InnerLoop &other) const {
  return std::tie(accumulators, vector_instructions) >
         std::tie(other.accumulators, other.vector_instructions);
}

std::optional<InnerLoop> inner_loop(const llvm::MachineBasicBlock &block) {
  if (!block.isSuccessor(&block))
    return std::nullopt;
  Counter counter(*block.getParent());
  for (const llvm::MachineInstr &instruction : block)
    counter.add(instruction);
  return counter.result();
}

unsigned spilled_accumulators(const llvm::MachineBasicBlock &loop) {
  const llvm::MachineFrameInfo &frame = loop.getParent()->getFrameInfo();
  std::set<int> read, written, carried;
  for (const llvm::MachineInstr &instruction : loop)
    for (const llvm::MachineMemOperand *access : instruction.memoperands()) {
      std::optional<int> slot = vector_slot(*access, frame);
      if (slot && access->isLoad() && !written.contains(*slot))
        read.insert(*slot);
      if (slot && access->isStore() && written.insert(*slot).second && read.contains(*slot))
        carried.insert(*slot);
    }
  return static_cast<unsigned>(carried.size());
}

} // namespace cnnc::codegen
