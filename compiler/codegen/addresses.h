// Addresses: where the elements of buffers are, and the values of indices.
//
// Owns the buffers (inputs, outputs, tables, scratch) with their base pointers, and the levels: the
// loops that run around what is emitted, level 0 being the function. An access is an address: a
// buffer, terms ordered by the level on which each changes, and constant bytes. Addresses with the
// same terms share a stream, a pointer: the loop of the last term carries it in a phi and steps it,
// if that term is the loop's variable. Quotients, remainders and lookups are atoms: computed, and
// added to the stream of the other terms, where the body of their loop begins.
//
// Invariants: streams and atoms are made on first use, but in the preheader and header of their
// level, so that they dominate all of its body; they live as long as their level. What lies at a
// constant distance from a stream is kept for the block at work alone. Scratch is a stack.
#pragma once

#include "compiler/codegen/function_context.h"

namespace cnnc::codegen {

/// A buffer or table of the kernel: its base pointer and the byte strides of its dimensions.
struct MemoryBuffer {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> strides;
  llvm::Value *base = nullptr;
  int64_t prefetch = 0; // as in loop::Buffer
};

class Addresses {
public:
  /// One summand of an address: factor bytes times a loop variable, quotient, remainder or lookup.
  struct AddressTerm {
    size_t level = 0;
    const loop::Term *term = nullptr;
    int64_t factor = 0;
  };
  struct Address {
    const MemoryBuffer *buffer = nullptr;
    std::vector<AddressTerm> terms; // by level, variables before others
    int64_t offset = 0;             // constant bytes
    int64_t lane_step = 0;          // bytes per iteration of the vector loop
    bool by_lane = false;           // the lanes have no common step
  };

  /// `buffers` points to the table of buffer pointers, the kernel's scratch memory last if it has
  /// any. `worker`: who runs this share of a parallel loop; null outside of one. Emits the base
  /// pointers where the builder stands, which is where level 0 ends.
  Addresses(FunctionContext &context, llvm::Value *buffers, llvm::Value *worker);

  const MemoryBuffer *find(const std::string &buffer) const;

  /// Makes scratch known from here on, until it is ended with all that was declared after it.
  void declare_scratch(const loop::Register &scratch);
  size_t scratch_count() const { return declared_.size(); }
  void end_scratch(size_t count);
  /// A worker also knows what is declared around its loop.
  void share_scratch(const Addresses &outer);

  /// A loop begins: `counter` is the phi of its variable in `header`.
  void enter_loop(const loop::For &loop, llvm::PHINode *counter, llvm::Value *lower,
                  llvm::BasicBlock *preheader);
  /// Emits the steps of the loop's pointers where the builder stands, in its last block.
  void step_pointers();
  void leave_loop() { levels_.pop_back(); }
  void forget_pointers() { pointers_.clear(); }

  Address address_of(const loop::Access &access);
  llvm::Value *pointer(const Address &address);
  /// The place so many bytes behind a pointer, made once within a block.
  llvm::Value *behind(llvm::Value *base, int64_t bytes);
  llvm::Value *value_of(const loop::Index &index);
  /// The greatest or smallest of some indices.
  llvm::Value *bound(const std::vector<loop::Index> &alternatives, bool greatest);

private:
  /// A running loop, or (level 0) the function itself.
  struct Level {
    std::string variable;
    llvm::Value *counter = nullptr; // phi of the variable
    llvm::Value *lower = nullptr;
    llvm::BasicBlock *preheader = nullptr;
    llvm::BasicBlock *header = nullptr; // phis, and values that the body needs at its begin
    std::map<std::string, llvm::Value *> streams;
    std::map<std::string, llvm::Value *> atoms;
    std::vector<std::pair<llvm::PHINode *, int64_t>> stepped; // pointer phis and their byte steps
  };

  void add_table(const loop::Table &table);
  void add_scratch(const loop::Register &scratch, llvm::Value *area, int64_t bytes);

  void add_term(Address &address, const loop::Term &term, int64_t bytes);
  llvm::Value *stream(const MemoryBuffer &buffer, llvm::ArrayRef<AddressTerm> terms);
  llvm::PHINode *stepped_stream(Level &level, llvm::Value *parent, int64_t factor,
                                const std::string &name);
  std::optional<size_t> level_of(const loop::Index &index) const;
  std::optional<size_t> level_of(const loop::Term &term) const;
  std::string key_of(const loop::Term &term) const;
  llvm::Value *value_of(const loop::Term &term);
  llvm::Value *divide(const loop::Term &term);
  llvm::Value *look_up(const loop::Term &term);

  FunctionContext &context_;
  llvm::IRBuilder<> &builder_;
  std::map<std::string, MemoryBuffer> buffers_;
  llvm::Value *shared_scratch_ = nullptr; // of the kernel
  llvm::Value *own_scratch_ = nullptr;    // where declarations go: of the worker, or shared
  std::vector<std::pair<const loop::Register *, int64_t>> declared_; // and their offsets
  std::vector<Level> levels_;
  // At a constant distance from a stream; of this block.
  std::map<std::pair<llvm::Value *, int64_t>, llvm::Value *> pointers_;
};

} // namespace cnnc::codegen
