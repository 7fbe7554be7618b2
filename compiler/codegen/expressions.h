// Expressions: f32 or i32 values, scalars or the lanes of a vector loop, and the elements of buffers.
//
// Inside of a vector loop a value is a scalar as long as all lanes share it; arithmetic with a
// vector makes a vector of it. Elements that lie side by side in the lanes are one vector load or
// store; a common address is one scalar load; all else is done lane by lane.
//
// Owns what the block at work has loaded, by address and lanes: a second access finds the value. A
// store to memory forgets all of it, since buffers are told apart by nobody here; so does a new
// block. Collects the vector loads of buffers with `prefetch` for the loop at work to prefetch.
#pragma once

#include "compiler/codegen/addresses.h"
#include "compiler/codegen/registers.h"

#include <functional>
#include <tuple>

namespace cnnc::codegen {

class Expressions {
public:
  /// Where vectors are loaded, and the distance of the cache line to fetch.
  using Prefetches = std::vector<std::pair<llvm::Value *, int64_t>>;

  Expressions(FunctionContext &context, Addresses &addresses, Registers &registers)
      : context_(context), builder_(context.builder), addresses_(addresses), registers_(registers) {
  }

  llvm::Value *evaluate(const loop::Expression &expression);
  /// What target += value makes of the target.
  llvm::Value *accumulated(const loop::Assign &assign);
  /// What an assignment that is computed in integers (ir/loop/integers.h) makes of its target.
  llvm::Value *integer(const loop::Assign &assign);
  /// round(x), or that and a whole number, as an integer of 8 bits, saturated; null for other values.
  llvm::Value *rounded(const loop::Expression &value, DType to);
  /// An entry of a table as an integer of 8 bits, that of the table; null for other values.
  llvm::Value *byte_entry(const loop::Expression &value, DType to);
  /// The element type of a register or buffer; empty when there is none of this name.
  std::optional<DType> dtype_of(const std::string &name) const;
  /// An element in the type of its buffer.
  llvm::Value *load_memory(const loop::Access &access);
  void store_memory(const loop::Access &access, llvm::Value *value);
  void forget_loads() {
    loaded_.clear();
    widened_.clear();
  }

  /// Those of the loop at work, which `swap_prefetches` changes.
  Prefetches swap_prefetches(Prefetches prefetches);
  void emit_prefetches();

private:
  llvm::Value *load(const loop::Access &access);
  llvm::Value *integer(const loop::Expression &expression);
  /// sum + a dot2 or dot4.
  llvm::Value *dot(llvm::Value *sum, const loop::Expression &expression);
  /// Two or four neighbours from an element on, in 16 or 32 bits, as an integer.
  llvm::Value *neighbours(const loop::Access &access, int64_t count);
  /// An entry of a table as an i32.
  llvm::Value *entry(const loop::Expression &expression);
  llvm::Value *index_as_number(const loop::Index &index);
  llvm::Value *index_as_bits(const loop::Index &index);
  llvm::Value *uniform(const loop::Expression &expression);
  llvm::Value *call(const loop::Expression &expression);
  /// A number of u8 in a register, min(max(round(x) + zero point, 0), 255), by a conversion that
  /// rounds; null for other values. (Of i8 a small negative x is -0 as an f32, which that has not.)
  llvm::Value *rounded_in_register(const loop::Expression &expression);
  /// Elements that lie in one or two rows of as many as there are lanes: the rows, shuffled. Or
  /// those of one or two places. Null when the lanes are farther apart.
  llvm::Value *shuffled(const loop::Access &access);
  /// The same, and fetches what lies ahead where the buffer asks for it.
  llvm::Value *load_ahead(llvm::Value *place, int64_t lanes, DType dtype, int64_t align,
                          const MemoryBuffer &buffer);
  /// One element, or as many as there are lanes, at a place; once within a block.
  llvm::Value *load_at(llvm::Value *place, int64_t lanes, DType dtype, int64_t align);
  /// An i32 beside others: as a vector where one of them is.
  void splat_together(std::initializer_list<llvm::Value **> values);
  /// The values of a vector loop, one for each lane.
  llvm::Value *by_lane(llvm::Type *element, const std::function<llvm::Value *()> &value);

  FunctionContext &context_;
  llvm::IRBuilder<> &builder_;
  Addresses &addresses_;
  Registers &registers_;
  /// Of this block, by place, lanes and type.
  std::map<std::tuple<llvm::Value *, int64_t, llvm::Type *>, llvm::Value *> loaded_;
  std::map<llvm::Value *, llvm::Value *> widened_; // of this block, what 16 bits are as f32
  Prefetches prefetches_;
};

} // namespace cnnc::codegen
