#include "compiler/codegen/function_emitter.h"
#include "compiler/codegen/emit_math.h"
#include "ir/graph/op.h" // overloaded

#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

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
                                 Value *buffers, Diagnostics &diagnostics)
    : kernel_(kernel), function_(function), diagnostics_(diagnostics),
      builder_(function->getContext()) {
  BasicBlock *entry = BasicBlock::Create(function->getContext(), "entry", function);
  BasicBlock *body = new_block("body");
  builder_.SetInsertPoint(entry);
  uint64_t position = 0;
  for (const std::vector<loop::Buffer> *list : {&kernel.inputs, &kernel.outputs})
    for (const loop::Buffer &buffer : *list) {
      Value *slot = offset(buffers, static_cast<int64_t>(8 * position++));
      MemoryBuffer memory{buffer.name, buffer.dtype, {}, nullptr};
      memory.base = builder_.CreateAlignedLoad(builder_.getPtrTy(), slot, llvm::Align(8), buffer.name);
      int64_t stride = size_of(buffer.dtype);
      for (auto dim = buffer.shape.rbegin(); dim != buffer.shape.rend(); ++dim) {
        memory.strides.insert(memory.strides.begin(), stride);
        stride *= *dim;
      }
      buffers_[buffer.name] = std::move(memory);
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

// ---- statements

void FunctionEmitter::emit(const std::vector<Statement> &body) {
  std::vector<std::string> declared;
  for (const Statement &statement : body) {
    if (failed_)
      return;
    if (const auto *reg = std::get_if<Register>(&statement.node)) {
      emit_register(*reg, body);
      declared.push_back(reg->name);
    } else {
      emit(statement);
    }
  }
  for (const std::string &name : declared)
    registers_.erase(name);
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
  std::optional<int64_t> first =
      loop.lower.size() == 1 ? constant_of(loop.lower[0]) : std::nullopt;
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
  enter(body);
  emit(loop.body);

  BasicBlock *latch = new_block(loop.variable + ".latch");
  BasicBlock *exit = new_block(loop.variable + ".exit");
  builder_.CreateBr(latch);
  builder_.SetInsertPoint(latch);
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
  const Expression &value = assign.value;
  bool product = value.kind == Expression::Kind::call && value.function == Function::mul;
  Value *result = nullptr;
  if (!assign.accumulate) {
    result = evaluate(value);
  } else {
    Value *sum = load(assign.target);
    if (!sum || failed_)
      return;
    Value *a = evaluate(product ? value.arguments[0] : value);
    Value *b = product ? evaluate(value.arguments[1]) : nullptr;
    if (failed_)
      return;
    bool vector = sum->getType()->isVectorTy() || a->getType()->isVectorTy() ||
                  (b && b->getType()->isVectorTy());
    if (vector) {
      sum = splat(sum);
      a = splat(a);
      b = b ? splat(b) : nullptr;
    }
    result = b ? emit_fma(builder_, a, b, sum) : builder_.CreateFAdd(sum, a);
  }
  if (failed_)
    return;
  auto reg = registers_.find(assign.target.buffer);
  if (reg != registers_.end())
    store_register(reg->second, assign.target, result);
  else
    store_memory(assign.target, result);
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
  place = builder_.CreateInsertElement(before, value, builder_.getInt64(static_cast<uint64_t>(*lane)));
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
    Value *element = builder_.CreateExtractElement(value, builder_.getInt64(static_cast<uint64_t>(lane)));
    builder_.CreateAlignedStore(element, pointer(address_of(access)), align);
  }
  constants_.erase(variable);
  lane_variable_ = variable;
}

// ---- expressions

Value *FunctionEmitter::splat(Value *value) {
  if (value->getType()->isVectorTy() || lane_variable_.empty())
    return value;
  Value *&result = splats_[{value, lanes_}];
  if (!result)
    result = builder_.CreateVectorSplat(static_cast<unsigned>(lanes_), value);
  return result;
}

Value *FunctionEmitter::evaluate(const Expression &expression) {
  switch (expression.kind) {
  case Expression::Kind::number:
    return llvm::ConstantFP::get(builder_.getFloatTy(), expression.number);
  case Expression::Kind::load:
    return load(expression.access);
  case Expression::Kind::call:
    return evaluate_call(expression);
  }
  return nullptr;
}

Value *FunctionEmitter::evaluate_call(const Expression &expression) {
  std::vector<Value *> a;
  bool vector = false;
  for (const Expression &argument : expression.arguments) {
    a.push_back(evaluate(argument));
    if (failed_)
      return nullptr;
    vector = vector || a.back()->getType()->isVectorTy();
  }
  if (vector)
    for (Value *&value : a)
      value = splat(value);
  switch (expression.function) {
  case Function::add:
    return builder_.CreateFAdd(a[0], a[1]);
  case Function::sub:
    return builder_.CreateFSub(a[0], a[1]);
  case Function::mul:
    return builder_.CreateFMul(a[0], a[1]);
  case Function::div:
    return builder_.CreateFDiv(a[0], a[1]);
  case Function::neg:
    return builder_.CreateFNeg(a[0]);
  case Function::min:
    return emit_min(builder_, a[0], a[1]);
  case Function::max:
    return emit_max(builder_, a[0], a[1]);
  case Function::exp:
    return emit_exp(builder_, a[0]);
  case Function::tanh:
    return emit_tanh(builder_, a[0]);
  case Function::sqrt:
    return emit_sqrt(builder_, a[0]);
  case Function::fma:
    return emit_fma(builder_, a[0], a[1], a[2]);
  case Function::select_less:
    return builder_.CreateSelect(builder_.CreateFCmpOLT(a[0], a[1]), a[2], a[3]);
  }
  return nullptr;
}

Value *FunctionEmitter::load(const Access &access) {
  auto reg = registers_.find(access.buffer);
  return reg != registers_.end() ? load_register(reg->second, access) : load_memory(access);
}

Value *FunctionEmitter::load_register(const RegisterArray &array, const Access &access) {
  std::optional<size_t> element = element_of(array, access);
  if (!element)
    return llvm::PoisonValue::get(array.type);
  Value *value = array.elements[*element];
  if (!value) {
    fail(fmt::format("{} is read before it is assigned", to_string(access)));
    return llvm::PoisonValue::get(array.type);
  }
  bool whole = !lane_variable_.empty() && array.lanes > 0 &&
               access.subscripts.back().as_variable() == lane_variable_;
  if (array.lanes == 0 || whole)
    return value;
  std::optional<int64_t> lane = constant_of(access.subscripts.back());
  if (!lane) {
    fail(fmt::format("{} needs a constant lane", to_string(access)));
    return llvm::PoisonValue::get(array.type);
  }
  return builder_.CreateExtractElement(value, builder_.getInt64(static_cast<uint64_t>(*lane)));
}

std::optional<size_t> FunctionEmitter::element_of(const RegisterArray &array,
                                                  const Access &access) {
  size_t dims = array.shape.size() - (array.lanes > 0 ? 1 : 0);
  int64_t flat = 0;
  for (size_t i = 0; i < dims; ++i) {
    std::optional<int64_t> subscript = constant_of(access.subscripts[i]);
    if (!subscript || *subscript < 0 || *subscript >= array.shape[i]) {
      fail(fmt::format("subscript {} of the register {} is not a constant within its shape", i,
                       to_string(access)));
      return std::nullopt;
    }
    flat = flat * array.shape[i] + *subscript;
  }
  return static_cast<size_t>(flat);
}

Value *FunctionEmitter::load_memory(const Access &access) {
  Address address = address_of(access);
  if (failed_)
    return nullptr;
  int64_t size = size_of(address.buffer->dtype);
  llvm::Type *element = type_of(address.buffer->dtype);
  llvm::Align align(static_cast<uint64_t>(size));
  bool vector = !lane_variable_.empty();
  if (vector && (address.by_lane || (address.lane_step != 0 && address.lane_step != size))) {
    // No common step, or not adjacent: one load per lane.
    Value *result = llvm::PoisonValue::get(vector_type(element, lanes_));
    std::string variable = std::exchange(lane_variable_, "");
    for (int64_t lane = 0; lane < lanes_; ++lane) {
      constants_[variable] = lane;
      result = builder_.CreateInsertElement(result, load_memory(access),
                                            builder_.getInt64(static_cast<uint64_t>(lane)));
    }
    constants_.erase(variable);
    lane_variable_ = variable;
    return result;
  }
  Value *place = pointer(address);
  int64_t lanes = vector && address.lane_step == size ? lanes_ : 0;
  Value *&value = loaded_[{place, lanes}];
  if (!value)
    value = builder_.CreateAlignedLoad(vector_type(element, lanes), place, align);
  return value;
}

// ---- addresses

FunctionEmitter::Address FunctionEmitter::address_of(const Access &access) {
  Address address;
  auto found = buffers_.find(access.buffer);
  if (found == buffers_.end()) {
    fail(fmt::format("there is no buffer {}", access.buffer));
    return address;
  }
  address.buffer = &found->second;
  for (size_t i = 0; i < access.subscripts.size(); ++i) {
    int64_t stride = address.buffer->strides[i];
    address.offset += access.subscripts[i].constant * stride;
    for (const Term &term : access.subscripts[i].terms)
      add_term(address, term, stride);
  }
  std::stable_sort(address.terms.begin(), address.terms.end(),
                   [](const AddressTerm &a, const AddressTerm &b) {
                     bool a_atom = a.term->kind != Term::Kind::variable;
                     bool b_atom = b.term->kind != Term::Kind::variable;
                     return std::pair(a.level, a_atom) < std::pair(b.level, b_atom);
                   });
  return address;
}

void FunctionEmitter::add_term(Address &address, const Term &term, int64_t bytes) {
  int64_t factor = term.factor * bytes;
  if (term.kind == Term::Kind::variable) {
    if (term.variable == lane_variable_) {
      address.lane_step += factor;
      return;
    }
    if (auto constant = constants_.find(term.variable); constant != constants_.end()) {
      address.offset += constant->second * factor;
      return;
    }
  } else {
    if (!lane_variable_.empty() && term.inner->uses(lane_variable_)) {
      address.by_lane = true;
      return;
    }
    if (std::optional<int64_t> inner = constant_of(*term.inner)) {
      Index value = term.kind == Term::Kind::quotient ? Index(*inner) / term.divisor
                                                      : Index(*inner) % term.divisor;
      address.offset += value.constant * factor;
      return;
    }
  }
  Index atom = term.kind == Term::Kind::variable ? Index::variable(term.variable) : *term.inner;
  std::optional<size_t> level = level_of(atom);
  if (!level)
    return fail(fmt::format("the loop variable of {} is not in scope", to_string(atom)));
  // Two subscripts may hold the same variable (a diagonal, or oh and kh of a stride): one stream term.
  for (AddressTerm &other : address.terms)
    if (other.level == *level && term.kind == Term::Kind::variable &&
        other.term->kind == Term::Kind::variable && other.term->variable == term.variable) {
      other.factor += factor;
      return;
    }
  address.terms.push_back({*level, &term, factor});
}

std::optional<size_t> FunctionEmitter::level_of(const Index &index) const {
  size_t level = 0;
  for (const Term &term : index.terms) {
    if (term.kind != Term::Kind::variable) {
      std::optional<size_t> inner = level_of(*term.inner);
      if (!inner)
        return std::nullopt;
      level = std::max(level, *inner);
      continue;
    }
    if (constants_.contains(term.variable))
      continue;
    size_t found = levels_.size() - 1;
    while (found > 0 && levels_[found].variable != term.variable)
      --found;
    if (found == 0)
      return std::nullopt;
    level = std::max(level, found);
  }
  return level;
}

Value *FunctionEmitter::offset(Value *pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return builder_.CreateInBoundsPtrAdd(pointer,
                                       builder_.getInt64(static_cast<uint64_t>(bytes)));
}

Value *FunctionEmitter::pointer(const Address &address) {
  Value *base = stream(*address.buffer, address.terms);
  if (address.offset == 0)
    return base;
  // The same address is asked for again and again within a block; one instruction each is enough.
  Value *&result = loaded_[{base, (int64_t(1) << 62) + address.offset}];
  if (!result)
    result = offset(base, address.offset);
  return result;
}

/// The pointer at base + terms: a phi stepped by the loop of its last term when that is a plain loop
/// variable, else an addition at the begin of that loop's body. Made on first use.
Value *FunctionEmitter::stream(const MemoryBuffer &buffer, llvm::ArrayRef<AddressTerm> terms) {
  if (terms.empty())
    return buffer.base;
  const AddressTerm &last = terms.back();
  std::string key = buffer.name;
  for (const AddressTerm &term : terms) {
    Index atom;
    atom.terms.push_back(*term.term);
    atom.terms[0].factor = 1;
    key += fmt::format("|{}:{}:{}", term.level, to_string(atom), term.factor);
  }
  // Constants of unrolled loops inside quotients are part of the address, too.
  if (last.term->kind != Term::Kind::variable)
    for (const auto &[variable, value] : constants_)
      if (last.term->inner->uses(variable))
        key += fmt::format("|{}={}", variable, value);
  if (auto known = levels_[last.level].pointers.find(key);
      known != levels_[last.level].pointers.end())
    return known->second;
  Value *parent = stream(buffer, terms.drop_back());
  Level &level = levels_[last.level];
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  Value *result = nullptr;
  if (last.term->kind == Term::Kind::variable) {
    builder_.SetInsertPoint(level.preheader->getTerminator());
    auto *lower = llvm::dyn_cast<llvm::ConstantInt>(level.lower);
    Value *start = lower ? offset(parent, lower->getSExtValue() * last.factor)
                         : builder_.CreateInBoundsPtrAdd(
                               parent, builder_.CreateNSWMul(level.lower,
                                                             builder_.getInt64(static_cast<uint64_t>(last.factor))));
    builder_.SetInsertPoint(level.header, level.header->begin());
    PHINode *phi = builder_.CreatePHI(builder_.getPtrTy(), 2, buffer.name);
    phi->addIncoming(start, level.preheader);
    level.stepped.emplace_back(phi, last.factor);
    result = phi;
  } else {
    Value *atom = value_of(*last.term);
    builder_.SetInsertPoint(level.header->getTerminator());
    result = builder_.CreateInBoundsPtrAdd(
        parent, builder_.CreateNSWMul(atom, builder_.getInt64(static_cast<uint64_t>(last.factor))));
  }
  level.pointers[key] = result;
  return result;
}

// ---- index values

std::optional<int64_t> FunctionEmitter::constant_of(const Index &index) const {
  int64_t result = index.constant;
  for (const Term &term : index.terms) {
    if (term.kind == Term::Kind::variable) {
      auto constant = constants_.find(term.variable);
      if (constant == constants_.end())
        return std::nullopt;
      result += term.factor * constant->second;
      continue;
    }
    std::optional<int64_t> inner = constant_of(*term.inner);
    if (!inner)
      return std::nullopt;
    Index value = term.kind == Term::Kind::quotient ? Index(*inner) / term.divisor
                                                    : Index(*inner) % term.divisor;
    result += term.factor * value.constant;
  }
  return result;
}

/// A loop variable, quotient or remainder without its factor, computed where its loop's body begins.
Value *FunctionEmitter::value_of(const Term &term) {
  if (term.kind == Term::Kind::variable) {
    if (auto constant = constants_.find(term.variable); constant != constants_.end())
      return builder_.getInt64(static_cast<uint64_t>(constant->second));
    std::optional<size_t> level = level_of(Index::variable(term.variable));
    if (level)
      return levels_[*level].counter;
    fail(fmt::format("the loop variable {} is not in scope", term.variable));
    return builder_.getInt64(0);
  }
  std::optional<size_t> level = level_of(*term.inner);
  if (!level) {
    fail(fmt::format("{} uses a loop variable that is not in scope", to_string(*term.inner)));
    return builder_.getInt64(0);
  }
  Index atom;
  atom.terms.push_back(term);
  atom.terms[0].factor = 1;
  std::string key = to_string(atom);
  for (const auto &[variable, value] : constants_)
    if (term.inner->uses(variable))
      key += fmt::format("|{}={}", variable, value);
  if (auto known = levels_[*level].atoms.find(key); known != levels_[*level].atoms.end())
    return known->second;
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(levels_[*level].header->getTerminator());
  Value *inner = value_of(*term.inner);
  Value *divisor = builder_.getInt64(static_cast<uint64_t>(term.divisor));
  // Division rounding down: the remainder made non-negative first.
  Value *remainder = builder_.CreateSRem(inner, divisor);
  Value *negative = builder_.CreateICmpSLT(remainder, builder_.getInt64(0));
  remainder = builder_.CreateSelect(negative, builder_.CreateNSWAdd(remainder, divisor), remainder);
  Value *result = remainder;
  if (term.kind == Term::Kind::quotient)
    result = builder_.CreateExactSDiv(builder_.CreateNSWSub(inner, remainder), divisor);
  levels_[*level].atoms[key] = result;
  return result;
}

Value *FunctionEmitter::value_of(const Index &index) {
  Value *result = builder_.getInt64(static_cast<uint64_t>(index.constant));
  for (const Term &term : index.terms) {
    Value *product = builder_.CreateNSWMul(
        value_of(term), builder_.getInt64(static_cast<uint64_t>(term.factor)));
    result = builder_.CreateNSWAdd(result, product);
  }
  return result;
}

Value *FunctionEmitter::bound(const std::vector<Index> &alternatives, bool greatest) {
  Value *result = value_of(alternatives[0]);
  for (size_t i = 1; i < alternatives.size(); ++i)
    result = builder_.CreateBinaryIntrinsic(greatest ? llvm::Intrinsic::smax
                                                     : llvm::Intrinsic::smin,
                                            result, value_of(alternatives[i]));
  return result;
}

} // namespace cnnc::codegen
