#include "compiler/codegen/function_emitter.h"

#include "compiler/codegen/emit_conversion.h"
#include "ir/loop/integers.h"

#include <fmt/format.h>

namespace cnnc::codegen {

using llvm::BasicBlock;
using llvm::PHINode;
using llvm::Value;
using loop::Expression;
using loop::For;
using loop::LoopKind;
using loop::Register;
using loop::Statement;

FunctionEmitter::FunctionEmitter(const loop::Kernel &kernel, llvm::Function *function,
                                 Value *buffers, Value *worker, const Target &target,
                                 Diagnostics &diagnostics)
    : context_(kernel, function, target, diagnostics), builder_(context_.builder),
      addresses_(context_, buffers, worker), registers_(context_),
      expressions_(context_, addresses_, registers_) {
  BasicBlock *body = context_.new_block("body");
  builder_.CreateBr(body);
  enter(body);
}

void FunctionEmitter::enter(BasicBlock *block) {
  builder_.SetInsertPoint(block);
  expressions_.forget_loads();
  addresses_.forget_pointers();
  context_.forget_splats();
}

void FunctionEmitter::emit(const std::vector<Statement> &body) {
  std::vector<std::string> declared;
  const size_t scratches = addresses_.scratch_count();
  for (const Statement &statement : body) {
    if (failed())
      return;
    const auto *reg = std::get_if<Register>(&statement.node);
    if (reg && reg->in_memory) {
      declare_scratch(*reg);
    } else if (reg) {
      registers_.declare(*reg, body);
      declared.push_back(reg->name);
    } else {
      emit(statement);
    }
  }
  for (const std::string &name : declared)
    registers_.end(name);
  addresses_.end_scratch(scratches);
}

void FunctionEmitter::emit(const Statement &statement) {
  if (const auto *inner = std::get_if<For>(&statement.node))
    emit_for(*inner);
  else if (const auto *assign = std::get_if<loop::Assign>(&statement.node))
    emit_assign(*assign);
}

void FunctionEmitter::emit_for(const For &loop) {
  switch (loop.kind) {
  case LoopKind::serial:
    return emit_serial(loop);
  case LoopKind::unroll: {
    std::optional<int64_t> first = context_.constant_of(loop.lower[0]);
    if (!loop.extent() || !first)
      return context_.fail(
          fmt::format("the unrolled loop {} has no constant bounds", loop.variable));
    return emit_unrolled(loop, *first, *loop.extent());
  }
  case LoopKind::vector:
    return emit_vector(loop);
  case LoopKind::parallel:
    return context_.fail("a parallel loop is not outermost");
  }
}

void FunctionEmitter::emit_unrolled(const For &loop, int64_t first, int64_t count) {
  BoundConstant variable(context_.variables, loop.variable);
  for (int64_t i = first; i < first + count; ++i) {
    variable.set(i);
    emit(loop.body);
  }
}

void FunctionEmitter::emit_vector(const For &loop) {
  std::optional<int64_t> extent = loop.extent();
  std::optional<int64_t> first = context_.constant_of(loop.lower[0]);
  if (!extent || !first || *first != 0)
    return context_.fail(
        fmt::format("the vector loop {} does not run from 0 to a constant", loop.variable));
  if (*extent == 1)
    return emit_unrolled(loop, 0, 1);
  BoundLanes lanes(context_.variables, loop.variable, *extent);
  emit(loop.body);
}

void FunctionEmitter::emit_serial(const For &loop) {
  std::optional<int64_t> extent = loop.extent();
  std::optional<int64_t> first =
      loop.lower.size() == 1 ? context_.constant_of(loop.lower[0]) : std::nullopt;
  if (extent && *extent <= 0)
    return;
  if (extent == 1 && first)
    return emit_unrolled(loop, *first, 1);
  Value *lower = addresses_.bound(loop.lower, true);
  Value *upper = addresses_.bound(loop.upper, false);
  if (extent)
    emit_loop(loop, lower, upper);
  else
    emit_guarded(loop, lower, upper);
}

/// A loop that may run no time at all: a branch around it, and the registers merged behind.
void FunctionEmitter::emit_guarded(const For &loop, Value *lower, Value *upper) {
  const Registers::Values before = registers_.values_before(loop.body);
  BasicBlock *inside = context_.new_block(loop.variable + ".enter");
  BasicBlock *behind = context_.new_block(loop.variable + ".behind");
  BasicBlock *guard = builder_.GetInsertBlock();
  builder_.CreateCondBr(builder_.CreateICmpSLT(lower, upper), inside, behind);
  enter(inside);
  emit_loop(loop, lower, upper);
  BasicBlock *last = builder_.GetInsertBlock();
  builder_.CreateBr(behind);
  enter(behind);
  registers_.merge(before, guard, last);
}

void FunctionEmitter::emit_loop(const For &loop, Value *lower, Value *upper) {
  BasicBlock *preheader = context_.new_block(loop.variable + ".pre");
  BasicBlock *header = context_.new_block(loop.variable + ".head");
  BasicBlock *body = context_.new_block(loop.variable + ".body");
  builder_.CreateBr(preheader);
  builder_.SetInsertPoint(preheader);
  builder_.CreateBr(header);
  builder_.SetInsertPoint(header);
  PHINode *counter = builder_.CreatePHI(builder_.getInt64Ty(), 2, loop.variable);
  counter->addIncoming(lower, preheader);
  const Registers::Phis phis = registers_.open_phis(loop.body, preheader);
  builder_.CreateBr(body);
  addresses_.enter_loop(loop, counter, lower, preheader);
  auto outer_prefetches = expressions_.swap_prefetches({});
  enter(body);
  emit(loop.body);

  BasicBlock *latch = context_.new_block(loop.variable + ".latch");
  BasicBlock *exit = context_.new_block(loop.variable + ".exit");
  builder_.CreateBr(latch);
  builder_.SetInsertPoint(latch);
  // Together at the end: code generation moves no load across a prefetch.
  expressions_.emit_prefetches();
  expressions_.swap_prefetches(std::move(outer_prefetches));
  addresses_.step_pointers();
  Value *next = builder_.CreateNUWAdd(counter, context_.i64(1));
  counter->addIncoming(next, latch);
  registers_.close_phis(phis, latch);
  builder_.CreateCondBr(builder_.CreateICmpSLT(next, upper), header, exit);
  addresses_.leave_loop();
  enter(exit);
}

void FunctionEmitter::emit_assign(const loop::Assign &assign) {
  const std::string &name = assign.target.buffer;
  const MemoryBuffer *memory = registers_.contains(name) ? nullptr : addresses_.find(name);
  if (!memory && !registers_.contains(name))
    return context_.fail(fmt::format("there is no buffer {}", name));
  Value *result = memory ? copied(assign, memory->dtype) : nullptr;
  if (!result && !failed())
    result = computed(assign, memory ? memory->dtype : registers_.dtype_of(name));
  if (failed())
    return;
  if (memory)
    expressions_.store_memory(assign.target, result);
  else
    registers_.store(assign.target, result);
}

/// The new value of the target, in its type.
Value *FunctionEmitter::computed(const loop::Assign &assign, DType to) {
  auto dtype_of = [&](const std::string &name) { return expressions_.dtype_of(name); };
  if (computes_integers(assign, dtype_of))
    return expressions_.integer(assign);
  if (!assign.accumulate && is_integer(to))
    if (Value *result = expressions_.rounded(assign.value, to))
      return result;
  if (Value *result = assign.accumulate ? nullptr : expressions_.byte_entry(assign.value, to))
    return result;
  Value *result =
      assign.accumulate ? expressions_.accumulated(assign) : expressions_.evaluate(assign.value);
  return failed() ? nullptr : emit_conversion(builder_, context_.target, result, DType::f32, to);
}

/// Elements and numbers go from the one type to the other without becoming f32 in between.
Value *FunctionEmitter::copied(const loop::Assign &assign, DType to) {
  if (assign.accumulate)
    return nullptr;
  if (assign.value.kind == Expression::Kind::number)
    return emit_number(builder_, assign.value.number, to);
  if (assign.value.kind != Expression::Kind::load)
    return nullptr;
  const std::string &name = assign.value.access.buffer;
  if (registers_.contains(name) && registers_.dtype_of(name) == DType::i32)
    return emit_conversion(builder_, context_.target, registers_.load(assign.value.access),
                           DType::i32, to);
  const MemoryBuffer *from = addresses_.find(name);
  if (!from)
    return nullptr;
  Value *element = expressions_.load_memory(assign.value.access);
  return failed() ? nullptr : emit_conversion(builder_, context_.target, element, from->dtype, to);
}

} // namespace cnnc::codegen
