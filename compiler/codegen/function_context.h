// What the parts that emit one function share: the builder, the loop variables that are not counted
// at run time, errors.
//
//   FunctionEmitter (function_emitter.h)    statements
//     Expressions (expressions.h)           f32 values, and elements of buffers
//       Registers (registers.h)             register arrays and their phis
//       Addresses (addresses.h)             loops as they run, pointers into buffers, indices
//         FunctionContext
//
// Invariants: the builder stands at the end of a block without a terminator; who emits elsewhere (a
// preheader, a header) comes back. What is kept for the block at work is forgotten when another
// begins. After the first error nothing that was emitted counts, and no other is reported.
#pragma once

#include "compiler/codegen/target/target.h"
#include "ir/loop/loop.h"

#include <llvm/IR/IRBuilder.h>
#include <map>
#include <utility>

namespace cnnc::codegen {

/// Loop variables without a counter.
struct BoundVariables {
  std::map<std::string, int64_t> constants; // of unrolled loops and single iterations
  std::string lane;                         // of the vector loop at work; empty outside of one
  int64_t lanes = 0;                        // its iterations

  bool in_lanes() const { return !lane.empty(); }
};

/// While it lives, a variable is a constant: the one that `set` was given last.
class BoundConstant {
public:
  BoundConstant(BoundVariables &variables, std::string name)
      : variables_(variables), name_(std::move(name)) {}
  ~BoundConstant() { variables_.constants.erase(name_); }
  BoundConstant(const BoundConstant &) = delete;
  BoundConstant &operator=(const BoundConstant &) = delete;
  void set(int64_t value) { variables_.constants[name_] = value; }

private:
  BoundVariables &variables_;
  const std::string name_;
};

/// While it lives, the iterations of a loop are the lanes of vectors.
class BoundLanes {
public:
  BoundLanes(BoundVariables &variables, const std::string &name, int64_t lanes)
      : variables_(variables) {
    variables_.lane = name;
    variables_.lanes = lanes;
  }
  ~BoundLanes() {
    variables_.lane.clear();
    variables_.lanes = 0;
  }
  BoundLanes(const BoundLanes &) = delete;
  BoundLanes &operator=(const BoundLanes &) = delete;

private:
  BoundVariables &variables_;
};

/// While it lives, the vector loop at work is done lane by lane: its variable is a constant.
class OneLane {
public:
  explicit OneLane(BoundVariables &variables)
      : variables_(variables), name_(std::exchange(variables.lane, "")),
        constant_(variables, name_) {}
  ~OneLane() { variables_.lane = name_; }
  OneLane(const OneLane &) = delete;
  OneLane &operator=(const OneLane &) = delete;
  void set(int64_t lane) { constant_.set(lane); }

private:
  BoundVariables &variables_;
  const std::string name_;
  BoundConstant constant_;
};

class FunctionContext {
public:
  /// The builder stands in the function's first block.
  FunctionContext(const loop::Kernel &of_kernel, llvm::Function *into, const Target &of_target,
                  Diagnostics &diagnostics);
  FunctionContext(const FunctionContext &) = delete;
  FunctionContext &operator=(const FunctionContext &) = delete;

  void fail(std::string message);
  bool failed() const { return failed_; }

  llvm::BasicBlock *new_block(const std::string &name);
  /// The element itself with 0 lanes.
  static llvm::Type *vector_type(llvm::Type *element, int64_t lanes);
  llvm::ConstantInt *i64(int64_t value);
  llvm::Value *offset(llvm::Value *pointer, int64_t bytes);
  /// A value as the lanes of the vector loop at work have it.
  llvm::Value *splat(llvm::Value *value);
  void forget_splats() { splats_.clear(); }

  /// The value of an index in which every variable is bound to a constant now.
  std::optional<int64_t> constant_of(const loop::Index &index) const;
  std::optional<int64_t> constant_of(const loop::Term &term) const;

  const loop::Kernel &kernel;
  const Target &target;
  llvm::Function *const function;
  llvm::IRBuilder<> builder;
  BoundVariables variables;

private:
  Diagnostics &diagnostics_;
  std::map<std::pair<llvm::Value *, int64_t>, llvm::Value *> splats_; // of this block, by lanes
  bool failed_ = false;
};

} // namespace cnnc::codegen
