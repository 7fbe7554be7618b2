// Statements: loops, registers, assignments.
#include "compiler/codegen/function_emitter.h"
#include "compiler/codegen/emit_conversion.h"
#include "compiler/codegen/emit_math.h"
#include "ir/graph/op.h" // overloaded
#include "ir/loop/scratch.h"

#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>

namespace cnnc::codegen {

using llvm::BasicBlock;
using llvm::PHINode;
using llvm::Value;
using loop::Access;
using loop::Expression;
using loop::For;
using loop::Function;
using loop::Index;
using loop::LoopKind;
using loop::Register;
using loop::Statement;
using loop::Term;

namespace {

void collect_assigned(const std::vector<Statement> &body, std::map<std::string, bool> &names) {
  for (const Statement &statement : body) {
    if (const auto *assign = std::get_if<loop::Assign>(&statement.node))
      names[assign->target.buffer] = true;
    else if (const auto *inner = std::get_if<For>(&statement.node))
      collect_assigned(inner->body, names);
  }
}

std::vector<int64_t> byte_strides(DType dtype, const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = size_of(dtype);
  for (size_t dim = shape.size(); dim-- > 0; stride *= shape[dim])
    strides[dim] = stride;
  return strides;
}

/// Lanes of the vector loops in which a register is accessed along its last dimension; 0 when none.
int64_t lanes_of(const std::string &name, const std::vector<Statement> &body,
                 const For *vector_loop);

int64_t lanes_of(const std::string &name, const Access &access, const For *vector_loop) {
  bool along = vector_loop && access.buffer == name && !access.subscripts.empty() &&
               access.subscripts.back().as_variable() == vector_loop->variable;
  return along ? vector_loop->extent().value_or(0) : 0;
}

int64_t lanes_of(const std::string &name, const Expression &expression, const For *vector_loop) {
  int64_t lanes = 0;
  if (expression.kind == Expression::Kind::load)
    lanes = lanes_of(name, expression.access, vector_loop);
  for (const Expression &argument : expression.arguments)
    lanes = std::max(lanes, lanes_of(name, argument, vector_loop));
  return lanes;
}

int64_t lanes_of(const std::string &name, const std::vector<Statement> &body,
                 const For *vector_loop) {
  int64_t lanes = 0;
  for (const Statement &statement : body) {
    if (const auto *assign = std::get_if<loop::Assign>(&statement.node))
      lanes = std::max({lanes, lanes_of(name, assign->target, vector_loop),
                        lanes_of(name, assign->value, vector_loop)});
    else if (const auto *inner = std::get_if<For>(&statement.node))
      lanes = std::max(lanes, lanes_of(name, inner->body,
                                       inner->kind == LoopKind::vector ? inner : vector_loop));
  }
  return lanes;
}

} // namespace

FunctionEmitter::FunctionEmitter(const loop::Kernel &kernel, llvm::Function *function,
                                 Value *buffers, Value *worker, Diagnostics &diagnostics)
    : kernel_(kernel), function_(function), diagnostics_(diagnostics),
      builder_(function->getContext()) {
  BasicBlock *entry = BasicBlock::Create(function->getContext(), "entry", function);
  BasicBlock *body = new_block("body");
  builder_.SetInsertPoint(entry);
  uint64_t position = 0;
  for (const std::vector<loop::Buffer> *list : {&kernel.inputs, &kernel.outputs})
    for (const loop::Buffer &buffer : *list) {
      Value *slot = offset(buffers, static_cast<int64_t>(8 * position++));
      MemoryBuffer memory{buffer.name, buffer.dtype, {}, nullptr, buffer.prefetch};
      memory.base =
          builder_.CreateAlignedLoad(builder_.getPtrTy(), slot, llvm::Align(8), buffer.name);
      memory.strides = byte_strides(buffer.dtype, buffer.shape);
      buffers_[buffer.name] = std::move(memory);
    }
  for (const loop::Table &table : kernel.tables)
    add_table(table);
  loop::ScratchSize scratch = scratch_size(kernel);
  if (scratch.shared + scratch.worker > 0) {
    Value *slot = offset(buffers, static_cast<int64_t>(8 * position));
    shared_scratch_ =
        builder_.CreateAlignedLoad(builder_.getPtrTy(), slot, llvm::Align(8), "scratch");
    own_scratch_ = shared_scratch_;
  }
  if (worker && scratch.worker > 0) {
    Value *bytes = builder_.CreateNUWMul(builder_.CreateZExt(worker, builder_.getInt64Ty()),
                                         builder_.getInt64(static_cast<uint64_t>(scratch.worker)));
    own_scratch_ = builder_.CreateInBoundsPtrAdd(offset(shared_scratch_, scratch.shared), bytes);
  }
  builder_.CreateBr(body);
  Level root;
  root.header = entry;
  levels_.push_back(std::move(root));
  enter(body);
}

void FunctionEmitter::finish() { builder_.CreateRetVoid(); }

void FunctionEmitter::fail(std::string message) {
  if (!failed_)
    diagnostics_.error(kernel_.range, fmt::format("kernel @{}: {}", kernel_.name, message));
  failed_ = true;
}

BasicBlock *FunctionEmitter::new_block(const std::string &name) {
  return BasicBlock::Create(function_->getContext(), name, function_);
}

void FunctionEmitter::enter(BasicBlock *block) {
  builder_.SetInsertPoint(block);
  loaded_.clear();
  splats_.clear();
}

llvm::Type *FunctionEmitter::type_of(DType dtype) {
  switch (dtype) {
  case DType::f32:
    return builder_.getFloatTy();
  case DType::f64:
    return builder_.getDoubleTy();
  case DType::i32:
    return builder_.getInt32Ty();
  case DType::i64:
    return builder_.getInt64Ty();
  case DType::u8:
  case DType::boolean:
    return builder_.getInt8Ty();
  }
  return nullptr;
}

llvm::Type *FunctionEmitter::vector_type(llvm::Type *element, int64_t lanes) {
  return lanes > 0 ? llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes)) : element;
}

/// A constant of the module, which the functions of the kernel share.
void FunctionEmitter::add_table(const loop::Table &table) {
  llvm::Module &module = *function_->getParent();
  std::string name = fmt::format("{}.{}", kernel_.name, table.name);
  llvm::GlobalVariable *global = module.getGlobalVariable(name, true);
  if (!global) {
    llvm::Constant *elements = nullptr;
    if (table.dtype == DType::i32) {
      std::vector<int32_t> values(table.values.begin(), table.values.end());
      elements = llvm::ConstantDataArray::get(module.getContext(), values);
    } else {
      std::vector<float> values(table.values.begin(), table.values.end());
      elements = llvm::ConstantDataArray::get(module.getContext(), values);
    }
    global = new llvm::GlobalVariable(module, elements->getType(), true,
                                      llvm::GlobalValue::PrivateLinkage, elements, name);
    global->setAlignment(llvm::Align(64));
  }
  buffers_[table.name] = {table.name, table.dtype, byte_strides(table.dtype, table.shape), global};
}

void FunctionEmitter::add_scratch(const Register &scratch, Value *area, int64_t bytes) {
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(levels_[0].header->getTerminator());
  // Another scratch of this name may have had another place: pointers are kept by name.
  MemoryBuffer memory{fmt::format("{}@{}", scratch.name, bytes), scratch.dtype, {}, nullptr};
  memory.base = offset(area, bytes);
  memory.strides = byte_strides(scratch.dtype, scratch.shape);
  buffers_[scratch.name] = std::move(memory);
}

void FunctionEmitter::declare_scratch(const Register &scratch) {
  add_scratch(scratch, own_scratch_, scratch_top_);
  declared_.emplace_back(&scratch, scratch_top_);
  scratch_top_ += scratch_bytes(scratch);
}

void FunctionEmitter::share_scratch(const FunctionEmitter &outer) {
  for (const auto &[scratch, bytes] : outer.declared_)
    add_scratch(*scratch, shared_scratch_, bytes);
}

void FunctionEmitter::emit(const std::vector<Statement> &body) {
  std::vector<std::string> declared;
  const int64_t scratch_top = scratch_top_;
  const size_t scratches = declared_.size();
  for (const Statement &statement : body) {
    if (failed_)
      return;
    const auto *reg = std::get_if<Register>(&statement.node);
    if (reg && reg->in_memory) {
      declare_scratch(*reg);
    } else if (reg) {
      emit_register(*reg, body);
      declared.push_back(reg->name);
    } else {
      emit(statement);
    }
  }
  for (const std::string &name : declared)
    registers_.erase(name);
  for (; declared_.size() > scratches; declared_.pop_back())
    buffers_.erase(declared_.back().first->name);
  scratch_top_ = scratch_top;
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
    std::optional<int64_t> first = constant_of(loop.lower[0]);
    if (!loop.extent() || !first)
      return fail(fmt::format("the unrolled loop {} has no constant bounds", loop.variable));
    return emit_unrolled(loop, *first, *loop.extent());
  }
  case LoopKind::vector:
    return emit_vector(loop);
  case LoopKind::parallel:
    return fail("a parallel loop is not outermost");
  }
}

void FunctionEmitter::emit_unrolled(const For &loop, int64_t first, int64_t count) {
  for (int64_t i = first; i < first + count; ++i) {
    constants_[loop.variable] = i;
    emit(loop.body);
  }
  constants_.erase(loop.variable);
}

void FunctionEmitter::emit_serial(const For &loop) {
  std::optional<int64_t> extent = loop.extent();
  std::optional<int64_t> first = loop.lower.size() == 1 ? constant_of(loop.lower[0]) : std::nullopt;
  if (extent && *extent <= 0)
    return;
  if (extent == 1 && first)
    return emit_unrolled(loop, *first, 1);
  Value *lower = bound(loop.lower, true);
  Value *upper = bound(loop.upper, false);
  if (extent)
    return emit_loop(loop, lower, upper);
  // The loop may run no time at all: branch around it, and merge the registers behind.
  std::map<std::string, bool> assigned;
  collect_assigned(loop.body, assigned);
  std::map<std::string, std::vector<Value *>> before;
  for (const auto &[name, array] : registers_)
    if (assigned.contains(name))
      before[name] = array.elements;
  BasicBlock *inside = new_block(loop.variable + ".enter");
  BasicBlock *behind = new_block(loop.variable + ".behind");
  BasicBlock *guard = builder_.GetInsertBlock();
  builder_.CreateCondBr(builder_.CreateICmpSLT(lower, upper), inside, behind);
  enter(inside);
  emit_loop(loop, lower, upper);
  BasicBlock *last = builder_.GetInsertBlock();
  builder_.CreateBr(behind);
  enter(behind);
  for (auto &[name, elements] : before)
    for (size_t i = 0; i < elements.size(); ++i) {
      Value *&now = registers_[name].elements[i];
      if (now == elements[i])
        continue;
      PHINode *phi = builder_.CreatePHI(now->getType(), 2);
      phi->addIncoming(elements[i] ? elements[i] : llvm::PoisonValue::get(now->getType()), guard);
      phi->addIncoming(now, last);
      now = phi;
    }
}

void FunctionEmitter::emit_range(const For &loop, Value *begin, Value *end) {
  emit_loop(loop, begin, end);
}

void FunctionEmitter::emit_loop(const For &loop, Value *lower, Value *upper) {
  BasicBlock *preheader = new_block(loop.variable + ".pre");
  BasicBlock *header = new_block(loop.variable + ".head");
  BasicBlock *body = new_block(loop.variable + ".body");
  builder_.CreateBr(preheader);
  builder_.SetInsertPoint(preheader);
  builder_.CreateBr(header);
  builder_.SetInsertPoint(header);
  PHINode *counter = builder_.CreatePHI(builder_.getInt64Ty(), 2, loop.variable);
  counter->addIncoming(lower, preheader);
  RegisterPhis phis = open_register_phis(loop.body, preheader);
  builder_.CreateBr(body);
  Level level;
  level.variable = loop.variable;
  level.counter = counter;
  level.lower = lower;
  level.preheader = preheader;
  level.header = header;
  levels_.push_back(std::move(level));
  auto outer_prefetches = std::exchange(prefetches_, {});
  enter(body);
  emit(loop.body);

  BasicBlock *latch = new_block(loop.variable + ".latch");
  BasicBlock *exit = new_block(loop.variable + ".exit");
  builder_.CreateBr(latch);
  builder_.SetInsertPoint(latch);
  // Together at the end: code generation moves no load across a prefetch.
  for (const auto &[place, distance] : prefetches_)
    emit_prefetch(place, distance);
  prefetches_ = std::move(outer_prefetches);
  for (const auto &[phi, step] : levels_.back().stepped)
    phi->addIncoming(offset(phi, step), latch);
  Value *next = builder_.CreateNUWAdd(counter, builder_.getInt64(1));
  counter->addIncoming(next, latch);
  close_register_phis(phis, latch);
  builder_.CreateCondBr(builder_.CreateICmpSLT(next, upper), header, exit);
  levels_.pop_back();
  enter(exit);
}

FunctionEmitter::RegisterPhis
FunctionEmitter::open_register_phis(const std::vector<Statement> &body, BasicBlock *preheader) {
  std::map<std::string, bool> assigned;
  collect_assigned(body, assigned);
  RegisterPhis phis;
  for (auto &[name, array] : registers_) {
    if (!assigned.contains(name))
      continue;
    llvm::Type *type = vector_type(array.type, array.lanes);
    for (size_t i = 0; i < array.elements.size(); ++i) {
      PHINode *phi = builder_.CreatePHI(type, 2, name);
      phi->addIncoming(array.elements[i] ? array.elements[i] : llvm::PoisonValue::get(type),
                       preheader);
      array.elements[i] = phi;
      phis.emplace_back(name, i, phi);
    }
  }
  return phis;
}

/// Elements that the body left alone need no phi after all.
void FunctionEmitter::close_register_phis(const RegisterPhis &phis, BasicBlock *latch) {
  for (const auto &[name, element, phi] : phis) {
    Value *&now = registers_[name].elements[element];
    if (now != phi) {
      phi->addIncoming(now, latch);
      continue;
    }
    Value *before = phi->getIncomingValue(0);
    phi->replaceAllUsesWith(before);
    now = before;
    phi->eraseFromParent();
  }
}

void FunctionEmitter::emit_vector(const For &loop) {
  std::optional<int64_t> extent = loop.extent();
  std::optional<int64_t> first = constant_of(loop.lower[0]);
  if (!extent || !first || *first != 0)
    return fail(fmt::format("the vector loop {} does not run from 0 to a constant", loop.variable));
  if (*extent == 1)
    return emit_unrolled(loop, 0, 1);
  lane_variable_ = loop.variable;
  lanes_ = *extent;
  emit(loop.body);
  lane_variable_.clear();
  lanes_ = 0;
}

void FunctionEmitter::emit_register(const Register &reg, const std::vector<Statement> &scope) {
  RegisterArray array;
  array.shape = reg.shape;
  array.type = type_of(reg.dtype);
  int64_t lanes = reg.shape.empty() ? 0 : lanes_of(reg.name, scope, nullptr);
  array.lanes = lanes > 1 && lanes == reg.shape.back() ? lanes : 0;
  int64_t count = element_count(reg.shape).value_or(0) / std::max<int64_t>(1, array.lanes);
  if (count > 4096)
    return fail(fmt::format("the register array {} has {} elements", reg.name, count));
  array.elements.assign(static_cast<size_t>(count), nullptr);
  registers_[reg.name] = std::move(array);
}

void FunctionEmitter::emit_assign(const loop::Assign &assign) {
  auto reg = registers_.find(assign.target.buffer);
  auto memory = buffers_.find(assign.target.buffer);
  if (reg == registers_.end() && memory == buffers_.end())
    return fail(fmt::format("there is no buffer {}", assign.target.buffer));
  Value *result = reg == registers_.end() ? copied(assign) : nullptr;
  if (result && !failed_)
    return store_memory(assign.target, result);
  if (!failed_)
    result = assign.accumulate ? accumulated(assign) : evaluate(assign.value);
  if (failed_)
    return;
  if (reg != registers_.end())
    return store_register(reg->second, assign.target, result);
  store_memory(assign.target, emit_conversion(builder_, result, DType::f32, memory->second.dtype));
}

/// Elements and numbers go from the one type to the other without becoming f32 in between.
Value *FunctionEmitter::copied(const loop::Assign &assign) {
  DType to = buffers_.at(assign.target.buffer).dtype;
  if (assign.accumulate)
    return nullptr;
  if (assign.value.kind == Expression::Kind::number)
    return emit_number(builder_, assign.value.number, to);
  auto from = buffers_.find(assign.value.access.buffer);
  if (assign.value.kind != Expression::Kind::load || from == buffers_.end())
    return nullptr;
  Value *element = load_memory(assign.value.access);
  return failed_ ? nullptr : emit_conversion(builder_, element, from->second.dtype, to);
}

Value *FunctionEmitter::accumulated(const loop::Assign &assign) {
  const Expression &value = assign.value;
  bool product = value.kind == Expression::Kind::call && value.function == Function::mul;
  Value *sum = load(assign.target);
  if (!sum || failed_)
    return nullptr;
  Value *a = evaluate(product ? value.arguments[0] : value);
  Value *b = product ? evaluate(value.arguments[1]) : nullptr;
  if (failed_)
    return nullptr;
  bool vector = sum->getType()->isVectorTy() || a->getType()->isVectorTy() ||
                (b && b->getType()->isVectorTy());
  if (vector) {
    sum = splat(sum);
    a = splat(a);
    b = b ? splat(b) : nullptr;
  }
  return b ? emit_fma(builder_, a, b, sum) : builder_.CreateFAdd(sum, a);
}

void FunctionEmitter::store_register(RegisterArray &array, const Access &access, Value *value) {
  std::optional<size_t> element = element_of(array, access);
  if (!element)
    return;
  Value *&place = array.elements[*element];
  if (array.lanes == 0) {
    if (value->getType()->isVectorTy())
      return fail(fmt::format("{} is assigned a different value in each lane", access.buffer));
    place = value;
    return;
  }
  if (!lane_variable_.empty() && access.subscripts.back().as_variable() == lane_variable_) {
    place = splat(value);
    return;
  }
  std::optional<int64_t> lane = constant_of(access.subscripts.back());
  if (!lane || value->getType()->isVectorTy())
    return fail(fmt::format("{} needs a constant lane", to_string(access)));
  Value *before = place ? place : llvm::PoisonValue::get(vector_type(array.type, array.lanes));
  place =
      builder_.CreateInsertElement(before, value, builder_.getInt64(static_cast<uint64_t>(*lane)));
}

void FunctionEmitter::store_memory(const Access &access, Value *value) {
  Address address = address_of(access);
  if (failed_)
    return;
  llvm::Align align(static_cast<uint64_t>(size_of(address.buffer->dtype)));
  loaded_.clear();
  if (lane_variable_.empty()) {
    builder_.CreateAlignedStore(value, pointer(address), align);
    return;
  }
  value = splat(value);
  if (!address.by_lane && address.lane_step == size_of(address.buffer->dtype)) {
    builder_.CreateAlignedStore(value, pointer(address), align);
    return;
  }
  std::string variable = std::exchange(lane_variable_, "");
  for (int64_t lane = 0; lane < lanes_; ++lane) {
    constants_[variable] = lane;
    Value *element =
        builder_.CreateExtractElement(value, builder_.getInt64(static_cast<uint64_t>(lane)));
    builder_.CreateAlignedStore(element, pointer(address_of(access)), align);
  }
  constants_.erase(variable);
  lane_variable_ = variable;
}

} // namespace cnnc::codegen
