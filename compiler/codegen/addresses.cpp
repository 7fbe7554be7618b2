#include "compiler/codegen/addresses.h"

#include "compiler/codegen/emit_conversion.h"
#include "ir/loop/scratch.h"

#include <algorithm>
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>

namespace cnnc::codegen {

using llvm::PHINode;
using llvm::Value;
using loop::Access;
using loop::Index;
using loop::Register;
using loop::Term;

namespace {

std::vector<int64_t> byte_strides(DType dtype, const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = size_of(dtype);
  for (size_t dim = shape.size(); dim-- > 0; stride *= shape[dim])
    strides[dim] = stride;
  return strides;
}

} // namespace

Addresses::Addresses(FunctionContext &context, Value *buffers, Value *worker)
    : context_(context), builder_(context.builder) {
  const loop::Kernel &kernel = context.kernel;
  Level function;
  function.header = builder_.GetInsertBlock();
  levels_.push_back(std::move(function));
  int64_t position = 0;
  auto next_pointer = [&](const std::string &name) {
    Value *slot = context_.offset(buffers, 8 * position++);
    return builder_.CreateAlignedLoad(builder_.getPtrTy(), slot, llvm::Align(8), name);
  };
  for (const std::vector<loop::Buffer> *list : {&kernel.inputs, &kernel.outputs})
    for (const loop::Buffer &buffer : *list)
      buffers_[buffer.name] = {buffer.name, buffer.dtype, byte_strides(buffer.dtype, buffer.shape),
                               next_pointer(buffer.name), buffer.prefetch};
  for (const loop::Table &table : kernel.tables)
    add_table(table);
  const loop::ScratchSize scratch = scratch_size(kernel);
  if (scratch.shared + scratch.worker > 0)
    own_scratch_ = shared_scratch_ = next_pointer("scratch");
  if (worker && scratch.worker > 0) {
    Value *bytes = builder_.CreateNUWMul(builder_.CreateZExt(worker, builder_.getInt64Ty()),
                                         context_.i64(scratch.worker));
    own_scratch_ =
        builder_.CreateInBoundsPtrAdd(context_.offset(shared_scratch_, scratch.shared), bytes);
  }
}

const MemoryBuffer *Addresses::find(const std::string &buffer) const {
  auto found = buffers_.find(buffer);
  return found == buffers_.end() ? nullptr : &found->second;
}

/// A constant of the module, which the functions of the kernel share.
void Addresses::add_table(const loop::Table &table) {
  llvm::Module &module = *context_.function->getParent();
  std::string name = fmt::format("{}.{}", context_.kernel.name, table.name);
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

void Addresses::add_scratch(const Register &scratch, Value *area, int64_t bytes) {
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(levels_[0].header->getTerminator());
  // Another scratch of this name may have had another place: pointers are kept by name.
  MemoryBuffer memory{fmt::format("{}@{}", scratch.name, bytes), scratch.dtype, {}, nullptr};
  memory.base = context_.offset(area, bytes);
  memory.strides = byte_strides(scratch.dtype, scratch.shape);
  buffers_[scratch.name] = std::move(memory);
}

void Addresses::declare_scratch(const Register &scratch) {
  const int64_t top =
      declared_.empty() ? 0 : declared_.back().second + scratch_bytes(*declared_.back().first);
  add_scratch(scratch, own_scratch_, top);
  declared_.emplace_back(&scratch, top);
}

void Addresses::end_scratch(size_t count) {
  for (; declared_.size() > count; declared_.pop_back())
    buffers_.erase(declared_.back().first->name);
}

void Addresses::share_scratch(const Addresses &outer) {
  for (const auto &[scratch, bytes] : outer.declared_)
    add_scratch(*scratch, shared_scratch_, bytes);
}

void Addresses::enter_loop(const loop::For &loop, PHINode *counter, Value *lower,
                           llvm::BasicBlock *preheader) {
  Level level;
  level.variable = loop.variable;
  level.counter = counter;
  level.lower = lower;
  level.preheader = preheader;
  level.header = counter->getParent();
  levels_.push_back(std::move(level));
}

void Addresses::step_pointers() {
  for (const auto &[phi, step] : levels_.back().stepped)
    phi->addIncoming(context_.offset(phi, step), builder_.GetInsertBlock());
}

Addresses::Address Addresses::address_of(const Access &access) {
  Address address;
  auto found = buffers_.find(access.buffer);
  if (found == buffers_.end()) {
    context_.fail(fmt::format("there is no buffer {}", access.buffer));
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
                     bool a_atom = a.term->kind != Term::Kind::variable; // a value of its own
                     bool b_atom = b.term->kind != Term::Kind::variable;
                     return std::pair(a.level, a_atom) < std::pair(b.level, b_atom);
                   });
  return address;
}

void Addresses::add_term(Address &address, const Term &term, int64_t bytes) {
  int64_t factor = term.factor * bytes;
  if (term.kind == Term::Kind::variable) {
    if (term.variable == context_.variables.lane) {
      address.lane_step += factor;
      return;
    }
    if (auto constant = context_.variables.constants.find(term.variable);
        constant != context_.variables.constants.end()) {
      address.offset += constant->second * factor;
      return;
    }
  } else {
    if (context_.variables.in_lanes() && term.uses(context_.variables.lane)) {
      address.by_lane = true;
      return;
    }
    if (std::optional<int64_t> constant = context_.constant_of(term)) {
      address.offset += *constant * factor;
      return;
    }
  }
  std::optional<size_t> level = level_of(term);
  if (!level)
    return context_.fail(fmt::format("the loop variable of {} is not in scope", to_string(term)));
  // Two subscripts may hold the same variable (a diagonal, or oh and kh of a stride): one stream
  // term.
  for (AddressTerm &other : address.terms)
    if (other.level == *level && term.kind == Term::Kind::variable &&
        other.term->kind == Term::Kind::variable && other.term->variable == term.variable) {
      other.factor += factor;
      return;
    }
  address.terms.push_back({*level, &term, factor});
}

std::optional<size_t> Addresses::level_of(const Term &term) const {
  if (term.kind == Term::Kind::variable) {
    if (context_.variables.constants.contains(term.variable))
      return 0;
    size_t found = levels_.size() - 1;
    while (found > 0 && levels_[found].variable != term.variable)
      --found;
    return found > 0 ? std::optional(found) : std::nullopt;
  }
  if (term.divides())
    return level_of(*term.inner);
  size_t level = 0;
  for (const Index &subscript : term.subscripts) {
    std::optional<size_t> inner = level_of(subscript);
    if (!inner)
      return std::nullopt;
    level = std::max(level, *inner);
  }
  return level;
}

std::optional<size_t> Addresses::level_of(const Index &index) const {
  size_t level = 0;
  for (const Term &term : index.terms) {
    std::optional<size_t> own = level_of(term);
    if (!own)
      return std::nullopt;
    level = std::max(level, *own);
  }
  return level;
}

Value *Addresses::pointer(const Address &address) {
  return behind(stream(*address.buffer, address.terms), address.offset);
}

Value *Addresses::behind(Value *base, int64_t bytes) {
  if (bytes == 0)
    return base;
  // The same address is asked for again and again within a block; one instruction each is enough.
  Value *&result = pointers_[{base, bytes}];
  if (!result)
    result = context_.offset(base, bytes);
  return result;
}

/// The pointer at base + terms: a phi stepped by the loop of its last term when that is a plain
/// loop variable, else an addition at the begin of that loop's body. Made on first use.
Value *Addresses::stream(const MemoryBuffer &buffer, llvm::ArrayRef<AddressTerm> terms) {
  if (terms.empty())
    return buffer.base;
  const AddressTerm &last = terms.back();
  std::string key = buffer.name;
  for (const AddressTerm &term : terms)
    key += fmt::format("|{}:{}:{}", term.level, key_of(*term.term), term.factor);
  if (auto known = levels_[last.level].streams.find(key);
      known != levels_[last.level].streams.end())
    return known->second;
  Value *parent = stream(buffer, terms.drop_back());
  Level &level = levels_[last.level];
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  Value *result = nullptr;
  if (last.term->kind == Term::Kind::variable) {
    result = stepped_stream(level, parent, last.factor, buffer.name);
  } else {
    Value *atom = value_of(*last.term);
    builder_.SetInsertPoint(level.header->getTerminator());
    result = builder_.CreateInBoundsPtrAdd(parent,
                                           builder_.CreateNSWMul(atom, context_.i64(last.factor)));
  }
  level.streams[key] = result;
  return result;
}

/// parent + factor * the loop's variable: a phi that begins at the lower bound.
PHINode *Addresses::stepped_stream(Level &level, Value *parent, int64_t factor,
                                   const std::string &name) {
  builder_.SetInsertPoint(level.preheader->getTerminator());
  auto *lower = llvm::dyn_cast<llvm::ConstantInt>(level.lower);
  Value *start = lower ? context_.offset(parent, lower->getSExtValue() * factor)
                       : builder_.CreateInBoundsPtrAdd(
                             parent, builder_.CreateNSWMul(level.lower, context_.i64(factor)));
  builder_.SetInsertPoint(level.header, level.header->begin());
  PHINode *phi = builder_.CreatePHI(builder_.getPtrTy(), 2, name);
  phi->addIncoming(start, level.preheader);
  level.stepped.emplace_back(phi, factor);
  return phi;
}

/// What tells the values of two terms, factors aside, from each other within a level. The constants
/// of unrolled loops that it uses are part of it.
std::string Addresses::key_of(const Term &term) const {
  std::string key = to_string(term);
  for (const auto &[variable, value] : context_.variables.constants)
    if (term.kind != Term::Kind::variable && term.uses(variable))
      key += fmt::format("|{}={}", variable, value);
  return key;
}

/// A term without its factor, computed where its loop's body begins.
Value *Addresses::value_of(const Term &term) {
  if (std::optional<int64_t> constant = context_.constant_of(term))
    return context_.i64(*constant);
  std::optional<size_t> level = level_of(term);
  if (!level) {
    context_.fail(fmt::format("{} uses a loop variable that is not in scope", to_string(term)));
    return builder_.getInt64(0);
  }
  if (term.kind == Term::Kind::variable)
    return levels_[*level].counter;
  std::string key = key_of(term);
  if (auto known = levels_[*level].atoms.find(key); known != levels_[*level].atoms.end())
    return known->second;
  llvm::IRBuilderBase::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(levels_[*level].header->getTerminator());
  Value *result = term.kind == Term::Kind::lookup ? look_up(term) : divide(term);
  levels_[*level].atoms[key] = result;
  return result;
}

Value *Addresses::divide(const Term &term) {
  Value *inner = value_of(*term.inner);
  Value *divisor = context_.i64(term.divisor);
  // Division rounding down: the remainder made non-negative first.
  Value *remainder = builder_.CreateSRem(inner, divisor);
  Value *negative = builder_.CreateICmpSLT(remainder, builder_.getInt64(0));
  remainder = builder_.CreateSelect(negative, builder_.CreateNSWAdd(remainder, divisor), remainder);
  if (term.kind == Term::Kind::remainder)
    return remainder;
  return builder_.CreateExactSDiv(builder_.CreateNSWSub(inner, remainder), divisor);
}

/// Nothing writes tables and inputs while the kernel runs, so that the load may stand as far
/// outside as its subscripts allow.
Value *Addresses::look_up(const Term &term) {
  const Access element_at{term.variable, term.subscripts}; // the address refers to it
  Address address = address_of(element_at);
  if (context_.failed())
    return builder_.getInt64(0);
  DType dtype = address.buffer->dtype;
  Value *place = context_.offset(stream(*address.buffer, address.terms), address.offset);
  Value *element = builder_.CreateAlignedLoad(element_type(builder_, dtype), place,
                                              llvm::Align(static_cast<uint64_t>(size_of(dtype))));
  element = builder_.CreateSExt(element, builder_.getInt64Ty());
  if (term.limit == 0)
    return element;
  Value *zero = builder_.getInt64(0), *limit = context_.i64(term.limit);
  Value *last = context_.i64(term.limit - 1);
  Value *from_end = builder_.CreateAdd(element, limit);
  element = builder_.CreateSelect(builder_.CreateICmpSLT(element, zero), from_end, element);
  element = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, element, zero);
  return builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, element, last);
}

Value *Addresses::value_of(const Index &index) {
  Value *result = context_.i64(index.constant);
  for (const Term &term : index.terms) {
    Value *product = builder_.CreateNSWMul(value_of(term), context_.i64(term.factor));
    result = builder_.CreateNSWAdd(result, product);
  }
  return result;
}

Value *Addresses::bound(const std::vector<Index> &alternatives, bool greatest) {
  Value *result = value_of(alternatives[0]);
  for (size_t i = 1; i < alternatives.size(); ++i)
    result =
        builder_.CreateBinaryIntrinsic(greatest ? llvm::Intrinsic::smax : llvm::Intrinsic::smin,
                                       result, value_of(alternatives[i]));
  return result;
}

} // namespace cnnc::codegen
