#include "ir/loop/verifier.h"
#include "ir/loop/range.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc::loop {

namespace {

constexpr int64_t most_unrolled = 65536;
constexpr int64_t most_register_elements = 65536;
constexpr int64_t most_scratch_elements = int64_t(1) << 32;
constexpr int64_t most_buffer_bytes = int64_t(1) << 48;
constexpr int64_t largest_number = int64_t(1) << 40;

bool within(int64_t number) { return number <= largest_number && number >= -largest_number; }

std::string spell(const Assign &assign) {
  return fmt::format("{} {} {}", to_string(assign.target), assign.accumulate ? "+=" : "=",
                     to_string(assign.value));
}

/// What a name stands for: a buffer of the kernel or a register.
struct Storage {
  enum class Kind { input, output, local, reg, scratch };
  std::string_view name;
  Kind kind = Kind::reg;
  DType dtype = DType::f32;
  const std::vector<int64_t> *shape = nullptr;
  bool assigned = true; // registers: somewhere above in the text
  bool outside_parallel = false;
};

std::string_view spell(Storage::Kind kind) {
  return kind == Storage::Kind::reg ? "register" : kind == Storage::Kind::scratch ? "scratch" : "buffer";
}

/// The buffers, and the registers alive at one point of the kernel.
class Storages {
public:
  void add(Storage storage) { list_.push_back(storage); }
  size_t size() const { return list_.size(); }
  void shrink(size_t size) {
    list_.erase(list_.begin() + static_cast<ptrdiff_t>(size), list_.end());
  }
  Storage *find(std::string_view name) {
    auto place = std::find_if(list_.rbegin(), list_.rend(),
                              [&](const Storage &storage) { return storage.name == name; });
    return place == list_.rend() ? nullptr : &*place;
  }
  std::vector<Storage> &all() { return list_; }

private:
  std::vector<Storage> list_;
};

/// Elements of a shape, or empty when a dimension is below one or the product above `most`.
std::optional<int64_t> element_count(const std::vector<int64_t> &shape, int64_t most) {
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 1 || __builtin_mul_overflow(count, dim, &count) || count > most)
      return std::nullopt;
  }
  return count;
}

size_t argument_count(Function function) {
  switch (function) {
  case Function::neg:
  case Function::exp:
  case Function::tanh:
  case Function::sqrt:
    return 1;
  case Function::add:
  case Function::sub:
  case Function::mul:
  case Function::div:
  case Function::min:
  case Function::max:
    return 2;
  case Function::fma:
    return 3;
  case Function::select_less:
    return 4;
  }
  return 0;
}

/// Whether the parser reads the name back as one identifier that begins no statement or number.
bool readable(std::string_view name) {
  for (std::string_view word : {"for", "parallel", "unroll", "vector", "reg", "scratch", "inf", "nan"})
    if (name == word)
      return false;
  bool first = name.empty() || (name[0] >= '0' && name[0] <= '9') || name[0] == '.';
  return !first && spell_name(name) == name;
}

/// A walk over the statements with what is in scope at each.
class Walk {
public:
  Walk(const Kernel &kernel, Diagnostics &diagnostics)
      : kernel_(kernel), diagnostics_(diagnostics) {
    add(kernel.inputs, Storage::Kind::input);
    add(kernel.outputs, Storage::Kind::output);
    add(kernel.locals, Storage::Kind::local);
  }

protected:
  void add(const std::vector<Buffer> &buffers, Storage::Kind kind) {
    for (const Buffer &buffer : buffers)
      storages_.add({buffer.name, kind, buffer.dtype, &buffer.shape});
  }

  void error(const SourceRange &range, std::string message) {
    diagnostics_.error(range.known() ? range : kernel_.range, std::move(message));
  }

  const Kernel &kernel_;
  Diagnostics &diagnostics_;
  Storages storages_;
  Scope scope_;
};

/// Every rule but the bounds of accesses.
class RulesWalk : Walk {
public:
  using Walk::Walk;

  void kernel() {
    for (size_t i = 0; i < storages_.size(); ++i) {
      const Storage &buffer = storages_.all()[i];
      check_name(buffer.name, "buffer", kernel_.range);
      if (storages_.find(buffer.name) != &buffer)
        error(kernel_.range, fmt::format("the buffer {} is declared twice", buffer.name));
      if (!element_count(*buffer.shape, most_buffer_bytes / size_of(buffer.dtype)))
        error(kernel_.range, fmt::format("the buffer {} has no valid size: its dimensions must be "
                                         "positive and its bytes fit in 48 bits",
                                         buffer.name));
    }
    block(kernel_.body);
  }

private:
  /// Returns the number of assignments once the unroll loops are written out.
  int64_t block(const std::vector<Statement> &statements) {
    size_t outside = storages_.size();
    int64_t count = 0;
    for (const Statement &statement : statements) {
      if (auto *loop = std::get_if<For>(&statement.node))
        count += this->loop(*loop, statement.range);
      else if (auto *reg = std::get_if<Register>(&statement.node))
        declare(*reg, statement.range);
      else
        ++count, assign(std::get<Assign>(statement.node), statement.range);
    }
    storages_.shrink(outside);
    return std::min(count, most_unrolled + 1); // enough to know, and no overflow
  }

  void check_name(std::string_view name, const char *what, const SourceRange &range) {
    if (!readable(name))
      error(range, fmt::format("{} cannot be the name of a {}", quote(name), what));
  }

  void declare(const Register &reg, const SourceRange &range) {
    const char *what = reg.in_memory ? "scratch" : "register";
    int64_t most = reg.in_memory ? most_scratch_elements : most_register_elements;
    check_name(reg.name, what, range);
    if (const Storage *known = storages_.find(reg.name))
      error(range, fmt::format("the name {} of this {} belongs to a {} already", reg.name, what,
                               spell(known->kind)));
    if (!element_count(reg.shape, most))
      error(range, fmt::format("the {} {} must have between 1 and {} elements", what, reg.name,
                               most));
    Storage::Kind kind = reg.in_memory ? Storage::Kind::scratch : Storage::Kind::reg;
    storages_.add({reg.name, kind, reg.dtype, &reg.shape, false});
  }

  int64_t loop(const For &loop, const SourceRange &range) {
    check_name(loop.variable, "loop variable", range);
    if (scope_.binds(loop.variable))
      error(range, fmt::format("a loop around this one binds {} already", loop.variable));
    for (const std::vector<Index> *bounds : {&loop.lower, &loop.upper}) {
      if (bounds->empty())
        error(range, fmt::format("the loop {} has no bound", loop.variable));
      for (const Index &bound : *bounds)
        check_index(bound, range);
    }
    check_kind(loop, range);
    if (loop.kind == LoopKind::parallel)
      for (Storage &storage : storages_.all())
        storage.outside_parallel = storage.kind == Storage::Kind::reg;
    scope_.push(loop);
    ++depth_;
    int64_t count = block(loop.body);
    --depth_;
    scope_.pop();
    if (loop.kind == LoopKind::parallel)
      for (Storage &storage : storages_.all())
        storage.outside_parallel = false;
    return loop.kind == LoopKind::unroll ? unrolled(loop, count, range) : count;
  }

  int64_t unrolled(const For &loop, int64_t count, const SourceRange &range) {
    int64_t total = 0;
    if (__builtin_mul_overflow(count, loop.extent().value_or(1), &total) || total > most_unrolled) {
      error(range, fmt::format("unrolling {} would write out more than {} assignments",
                               loop.variable, most_unrolled));
      return 0; // said once, not for every loop around
    }
    return total;
  }

  void check_kind(const For &loop, const SourceRange &range) {
    std::optional<int64_t> extent = loop.extent();
    if (loop.kind == LoopKind::vector || loop.kind == LoopKind::unroll) {
      const char *kind = loop.kind == LoopKind::vector ? "vector" : "unroll";
      if (!extent || *extent < 1)
        error(range, fmt::format("the {} loop {} must have a constant extent of at least one", kind,
                                 loop.variable));
    } else if (extent && *extent < 0) {
      error(range, fmt::format("the loop {} runs backwards: it has {} iterations", loop.variable,
                               *extent));
    }
    if (loop.kind == LoopKind::vector)
      for (const Statement &inner : loop.body)
        if (!std::holds_alternative<Assign>(inner.node))
          error(inner.range.known() ? inner.range : range,
                fmt::format("the vector loop {} may hold assignments only", loop.variable));
    if (loop.kind == LoopKind::parallel && depth_ > 0)
      error(range, fmt::format("the parallel loop {} must stand outermost", loop.variable));
  }

  void check_index(const Index &index, const SourceRange &range) {
    bool fits = within(index.constant);
    for (const Term &term : index.terms) {
      fits = fits && within(term.factor) && term.divisor <= largest_number;
      if (term.kind != Term::Kind::variable)
        check_index(*term.inner, range);
      else if (!scope_.binds(term.variable))
        error(range, fmt::format("there is no loop {} around this", term.variable));
    }
    if (!fits)
      error(range, fmt::format("a number in the index {} is too large", to_string(index)));
  }

  Storage *check_access(const Access &access, const Assign &assign, const SourceRange &range) {
    for (const Index &subscript : access.subscripts)
      check_index(subscript, range);
    Storage *storage = storages_.find(access.buffer);
    if (!storage) {
      error(range, fmt::format("there is no buffer or register {} here, in {}", access.buffer,
                               spell(assign)));
      return nullptr;
    }
    if (storage->shape->size() != access.subscripts.size())
      error(range, fmt::format("{} has {} dimension{}, but {} has {} subscript{}", access.buffer,
                               storage->shape->size(), storage->shape->size() == 1 ? "" : "s",
                               to_string(access), access.subscripts.size(),
                               access.subscripts.size() == 1 ? "" : "s"));
    if (storage->outside_parallel)
      error(range, fmt::format("the register {} lives outside of the parallel loop, in {}",
                               access.buffer, spell(assign)));
    return storage;
  }

  void check_load(const Access &access, const Assign &assign, const SourceRange &range, bool copy) {
    Storage *storage = check_access(access, assign, range);
    if (!storage)
      return;
    if (!storage->assigned) {
      error(range, fmt::format("the {} {} is read before it is assigned, in {}",
                               spell(storage->kind), access.buffer, spell(assign)));
      storage->assigned = true; // said once
    }
    if (!copy && storage->dtype != DType::f32)
      error(range, fmt::format("arithmetic is in f32, but {} is {}, in {}", access.buffer,
                               name_of(storage->dtype), spell(assign)));
  }

  void check_expression(const Expression &expression, const Assign &assign,
                        const SourceRange &range) {
    if (expression.kind == Expression::Kind::load)
      check_load(expression.access, assign, range, false);
    if (expression.kind != Expression::Kind::call)
      return;
    if (expression.arguments.size() != argument_count(expression.function))
      error(range, fmt::format("a function has {} arguments instead of {}",
                               expression.arguments.size(), argument_count(expression.function)));
    for (const Expression &argument : expression.arguments)
      check_expression(argument, assign, range);
  }

  void assign(const Assign &assign, const SourceRange &range) {
    bool copy = !assign.accumulate && assign.value.kind == Expression::Kind::load;
    if (copy)
      check_load(assign.value.access, assign, range, true);
    else
      check_expression(assign.value, assign, range);
    if (assign.accumulate)
      check_load(assign.target, assign, range, false);
    Storage *target = check_access_once(assign, range);
    if (!target)
      return;
    if (target->kind == Storage::Kind::input)
      error(range, fmt::format("the input {} cannot be assigned, in {}", assign.target.buffer,
                               spell(assign)));
    check_target_type(*target, assign, range, copy);
    target->assigned = true;
  }

  /// The target of an accumulation has been checked as a load.
  Storage *check_access_once(const Assign &assign, const SourceRange &range) {
    return assign.accumulate ? storages_.find(assign.target.buffer)
                             : check_access(assign.target, assign, range);
  }

  void check_target_type(const Storage &target, const Assign &assign, const SourceRange &range,
                         bool copy) {
    if (copy) {
      const Storage *from = storages_.find(assign.value.access.buffer);
      if (from && from->dtype != target.dtype)
        error(range, fmt::format("{} is {} but {} is {}, in {}", target.name, name_of(target.dtype),
                                 from->name, name_of(from->dtype), spell(assign)));
    } else if (!assign.accumulate && target.dtype != DType::f32) {
      error(range, fmt::format("arithmetic is in f32, but {} is {}, in {}", target.name,
                               name_of(target.dtype), spell(assign)));
    }
  }

  int depth_ = 0;
};

/// The bounds of accesses.
class BoundsWalk : Walk {
public:
  using Walk::Walk;

  void kernel() { block(kernel_.body); }

private:
  void block(const std::vector<Statement> &statements) {
    size_t outside = storages_.size();
    for (const Statement &statement : statements) {
      if (auto *loop = std::get_if<For>(&statement.node)) {
        scope_.push(*loop);
        block(loop->body);
        scope_.pop();
      } else if (auto *reg = std::get_if<Register>(&statement.node)) {
        storages_.add({reg->name, Storage::Kind::reg, reg->dtype, &reg->shape});
      } else {
        const Assign &assign = std::get<Assign>(statement.node);
        access(assign.target, assign, statement.range);
        expression(assign.value, assign, statement.range);
      }
    }
    storages_.shrink(outside);
  }

  void expression(const Expression &value, const Assign &assign, const SourceRange &range) {
    if (value.kind == Expression::Kind::load)
      access(value.access, assign, range);
    for (const Expression &argument : value.arguments)
      expression(argument, assign, range);
  }

  void access(const Access &access, const Assign &assign, const SourceRange &range) {
    const Storage *storage = storages_.find(access.buffer);
    if (!storage || storage->shape->size() != access.subscripts.size())
      return;
    for (size_t d = 0; d < access.subscripts.size(); ++d) {
      int64_t size = (*storage->shape)[d];
      std::optional<Range> values = scope_.range_of(access.subscripts[d]);
      bool never_runs = values && values->min > values->max;
      if (never_runs || (values && values->min >= 0 && values->max < size))
        continue;
      std::string reach = values ? fmt::format("runs from {} to {}", values->min, values->max)
                                 : std::string("has no known range");
      error(range, fmt::format("{} leaves its buffer: dimension {} is in 0..{} but the subscript "
                               "{} {}, in {}",
                               to_string(access), d, size, to_string(access.subscripts[d]), reach,
                               spell(assign)));
    }
  }
};

} // namespace

bool verify(const Kernel &kernel, Diagnostics &diagnostics) {
  size_t before = diagnostics.error_count();
  RulesWalk(kernel, diagnostics).kernel();
  // Without these rules bounds mean nothing, and would only repeat the errors.
  return diagnostics.error_count() == before && verify_bounds(kernel, diagnostics);
}

bool verify_bounds(const Kernel &kernel, Diagnostics &diagnostics) {
  size_t before = diagnostics.error_count();
  BoundsWalk(kernel, diagnostics).kernel();
  return diagnostics.error_count() == before;
}

} // namespace cnnc::loop
