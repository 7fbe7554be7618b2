// Emits the statements of one function: variables, pointer streams, registers, expressions. Used by
// emit_llvm.cpp only.
#pragma once

#include "ir/loop/loop.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/IR/IRBuilder.h>
#include <map>

namespace cnnc::codegen {

/// A buffer or table of the kernel: its base pointer and the byte strides of its dimensions.
struct MemoryBuffer {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> strides;
  llvm::Value *base = nullptr;
  int64_t prefetch = 0; // as in loop::Buffer
};

class FunctionEmitter {
public:
  /// Emits into `function`, whose argument `buffers` points to the table of buffer pointers, the
  /// kernel's scratch memory last if it has any. `worker`: who runs this share of a parallel loop;
  /// null outside of one.
  FunctionEmitter(const loop::Kernel &kernel, llvm::Function *function, llvm::Value *buffers,
                  llvm::Value *worker, Diagnostics &diagnostics);

  /// Makes scratch known from here on; a worker also knows what is declared around its loop.
  void declare_scratch(const loop::Register &scratch);
  void share_scratch(const FunctionEmitter &outer);

  void emit(const std::vector<loop::Statement> &body);
  /// A loop whose bounds are values: a share of a parallel loop. begin < end is given.
  void emit_range(const loop::For &loop, llvm::Value *begin, llvm::Value *end);
  void finish();

  llvm::IRBuilder<> &builder() { return builder_; }
  bool failed() const { return failed_; }

private:
  /// A running loop, or (level 0) the function itself.
  struct Level {
    std::string variable;
    llvm::Value *counter = nullptr; // phi of the variable
    llvm::Value *lower = nullptr;
    llvm::BasicBlock *preheader = nullptr;
    llvm::BasicBlock *header = nullptr; // phis, and values that the body needs at its begin
    std::map<std::string, llvm::Value *> pointers;            // by stream
    std::map<std::string, llvm::Value *> atoms;               // quotients, remainders, lookups
    std::vector<std::pair<llvm::PHINode *, int64_t>> stepped; // pointer phis and their byte steps
  };

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

  /// A register array. Elements are scalars, or vectors along the last dimension.
  struct RegisterArray {
    std::vector<int64_t> shape;
    int64_t lanes = 0; // 0: scalars
    llvm::Type *type = nullptr;
    std::vector<llvm::Value *> elements;
  };
  using RegisterPhis = std::vector<std::tuple<std::string, size_t, llvm::PHINode *>>;

  void emit(const loop::Statement &statement);
  void emit_for(const loop::For &loop);
  void emit_serial(const loop::For &loop);
  void emit_loop(const loop::For &loop, llvm::Value *lower, llvm::Value *upper);
  void emit_prefetch(llvm::Value *place, int64_t distance);
  void emit_unrolled(const loop::For &loop, int64_t first, int64_t count);
  void emit_vector(const loop::For &loop);
  void emit_register(const loop::Register &reg, const std::vector<loop::Statement> &scope);
  void add_table(const loop::Table &table);
  void add_scratch(const loop::Register &scratch, llvm::Value *area, int64_t offset);
  void emit_assign(const loop::Assign &assign);
  void store_register(RegisterArray &array, const loop::Access &access, llvm::Value *value);
  void store_memory(const loop::Access &access, llvm::Value *value);

  RegisterPhis open_register_phis(const std::vector<loop::Statement> &body,
                                  llvm::BasicBlock *preheader);
  void close_register_phis(const RegisterPhis &phis, llvm::BasicBlock *latch);

  /// A value of f32, or a vector of them.
  llvm::Value *evaluate(const loop::Expression &expression);
  llvm::Value *evaluate_index(const loop::Index &index);
  llvm::Value *evaluate_call(const loop::Expression &expression);
  llvm::Value *load(const loop::Access &access);
  llvm::Value *load_register(const RegisterArray &array, const loop::Access &access);
  /// In the element type of the buffer.
  llvm::Value *load_memory(const loop::Access &access);
  /// The values of a vector loop, one for each lane.
  llvm::Value *by_lane(llvm::Type *element, const std::function<llvm::Value *()> &value);
  /// What a plain copy between buffers stores; null when the assignment is none.
  llvm::Value *copied(const loop::Assign &assign);
  llvm::Value *accumulated(const loop::Assign &assign);

  Address address_of(const loop::Access &access);
  void add_term(Address &address, const loop::Term &term, int64_t bytes);
  llvm::Value *pointer(const Address &address);
  llvm::Value *stream(const MemoryBuffer &buffer, llvm::ArrayRef<AddressTerm> terms);
  llvm::Value *offset(llvm::Value *pointer, int64_t bytes);
  std::optional<size_t> level_of(const loop::Index &index) const;
  std::optional<size_t> level_of(const loop::Term &term) const;
  std::string key_of(const loop::Term &term) const;
  llvm::Value *value_of(const loop::Term &term);
  llvm::Value *value_of(const loop::Index &index);
  llvm::Value *divide(const loop::Term &term);
  llvm::Value *look_up(const loop::Term &term);
  llvm::Value *bound(const std::vector<loop::Index> &alternatives, bool greatest);

  /// The value of an index in which every variable is bound to a constant now.
  std::optional<int64_t> constant_of(const loop::Index &index) const;
  std::optional<int64_t> constant_of(const loop::Term &term) const;
  /// Flat number of a register element; with a vector array, without its last dimension.
  std::optional<size_t> element_of(const RegisterArray &array, const loop::Access &access);

  llvm::Type *type_of(DType dtype);
  llvm::Type *vector_type(llvm::Type *element, int64_t lanes);
  llvm::Value *splat(llvm::Value *scalar);
  llvm::BasicBlock *new_block(const std::string &name);
  void enter(llvm::BasicBlock *block);
  void fail(std::string message);

  const loop::Kernel &kernel_;
  llvm::Function *function_;
  Diagnostics &diagnostics_;
  llvm::IRBuilder<> builder_;
  std::map<std::string, MemoryBuffer> buffers_;
  llvm::Value *shared_scratch_ = nullptr; // of the kernel
  llvm::Value *own_scratch_ = nullptr;    // where declarations go: of the worker, or shared
  int64_t scratch_top_ = 0;               // bytes of own_scratch_ that are in use
  std::vector<std::pair<const loop::Register *, int64_t>> declared_; // and their offsets
  std::map<std::string, RegisterArray> registers_;
  std::map<std::string, int64_t> constants_; // variables of unrolled loops and single iterations
  std::vector<Level> levels_;
  std::string lane_variable_; // of the vector loop being emitted, empty outside
  int64_t lanes_ = 0;
  std::map<std::pair<llvm::Value *, int64_t>, llvm::Value *> loaded_; // of this block, by address
  std::map<std::pair<llvm::Value *, int64_t>, llvm::Value *> splats_; // of this block, by lanes
  // What the loop at work reads of buffers with `prefetch`, and their distances.
  std::vector<std::pair<llvm::Value *, int64_t>> prefetches_;
  bool failed_ = false;
};

} // namespace cnnc::codegen
