// Registers: the values of `reg` arrays.
//
// Owns, for every array in scope, one SSA value per element, or one vector per row of the last
// dimension where vector loops run along it. The subscripts of an element are constants when it is
// loaded or stored, as every loop that counts them is written out; with vectors the last one is the
// lane variable, or a constant lane.
//
// Invariants: `elements` holds the value that an element has where the builder stands, null before
// its first assignment. In a loop each element that the body may assign is a phi of the header,
// from `open_phis` on; `close_phis` removes those that the body left alone. Behind a loop that may
// not run, `merge` joins the values with those before it.
#pragma once

#include "compiler/codegen/function_context.h"

#include <span>
#include <tuple>

namespace cnnc::codegen {

class Registers {
public:
  using Phis = std::vector<std::tuple<std::string, size_t, llvm::PHINode *>>;
  using Values = std::map<std::string, std::vector<llvm::Value *>>;

  explicit Registers(FunctionContext &context) : context_(context), builder_(context.builder) {}

  /// `scope`: the statements among which the array lives, until `end`.
  void declare(const loop::Register &reg, std::span<const loop::Statement> scope);
  void end(const std::string &name) { arrays_.erase(name); }
  bool contains(const std::string &name) const { return arrays_.contains(name); }
  DType dtype_of(const std::string &name) const { return arrays_.at(name).dtype; }

  llvm::Value *load(const loop::Access &access);
  void store(const loop::Access &access, llvm::Value *value);

  /// Around a loop: phis where the builder stands, in its header, and their values at its end.
  Phis open_phis(std::span<const loop::Statement> body, llvm::BasicBlock *preheader);
  void close_phis(const Phis &phis, llvm::BasicBlock *latch);

  /// Around a loop that may not run: the values of what it may assign, and what they are behind it,
  /// coming from the block before it or from its end.
  Values values_before(std::span<const loop::Statement> body) const;
  void merge(const Values &before, llvm::BasicBlock *guard, llvm::BasicBlock *last);

private:
  struct Array {
    std::vector<int64_t> shape;
    int64_t lanes = 0; // of vectors along the last dimension; 0: scalars
    DType dtype = DType::f32;
    llvm::Type *type = nullptr;
    std::vector<llvm::Value *> elements;
  };

  /// Flat number of an element; with vectors, without the last dimension.
  std::optional<size_t> element_of(const Array &array, const loop::Access &access);
  /// Whether all lanes are accessed at a time.
  bool is_whole(const Array &array, const loop::Access &access) const;

  FunctionContext &context_;
  llvm::IRBuilder<> &builder_;
  std::map<std::string, Array> arrays_;
};

} // namespace cnnc::codegen
