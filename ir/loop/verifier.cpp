#include "ir/loop/verifier.h"
#include "ir/loop/functions.h"
#include "ir/loop/integers.h"
#include "ir/loop/range.h"
#include "ir/loop/rewrite.h"
#include "ir/loop/words.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace cnnc::loop {

namespace {

constexpr int64_t most_unrolled = 65536;
constexpr int64_t most_register_elements = 65536;
constexpr int64_t most_scratch_elements = int64_t(1) << 32;
constexpr int64_t most_table_elements = int64_t(1) << 20;
constexpr int64_t most_buffer_bytes = int64_t(1) << 48;
constexpr int64_t largest_number = int64_t(1) << 40;

bool within(int64_t number) { return number <= largest_number && number >= -largest_number; }

std::string spell(const Assign &assign) {
  return fmt::format("{} {} {}", to_string(assign.target), assign.accumulate ? "+=" : "=",
                     to_string(assign.value));
}

/// What a name stands for: a buffer of the kernel, a table or a register.
struct Storage {
  enum class Kind { input, output, local, table, reg, scratch };
  std::string_view name;
  Kind kind = Kind::reg;
  DType dtype = DType::f32;
  const std::vector<int64_t> *shape = nullptr;
  bool assigned = true; // registers: somewhere above in the text
  bool outside_parallel = false;
};

std::string_view spell(Storage::Kind kind) {
  switch (kind) {
  case Storage::Kind::table:
    return "table";
  case Storage::Kind::reg:
    return "register";
  case Storage::Kind::scratch:
    return "scratch";
  default:
    return "buffer";
  }
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

/// Whether the parser reads the name back as one identifier that is no word of the text.
bool readable(std::string_view name) {
  bool first = name.empty() || (name[0] >= '0' && name[0] <= '9') || name[0] == '.';
  return !first && format_name(name) == name && !is_reserved(name);
}

/// A walk over the statements with what is in scope at each.
class Walk {
public:
  Walk(const Kernel &kernel, Diagnostics &diagnostics)
      : kernel_(kernel), diagnostics_(diagnostics), scope_(kernel) {
    add(kernel.inputs, Storage::Kind::input);
    add(kernel.outputs, Storage::Kind::output);
    add(kernel.locals, Storage::Kind::local);
    for (const Table &table : kernel.tables)
      storages_.add({table.name, Storage::Kind::table, table.dtype, &table.shape});
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
      check_name(buffer.name, spell(buffer.kind), kernel_.range);
      if (storages_.find(buffer.name) != &buffer)
        error(kernel_.range,
              fmt::format("the {} {} is declared twice", spell(buffer.kind), buffer.name));
      if (!element_count(*buffer.shape, most_buffer_bytes / size_of(buffer.dtype)))
        error(kernel_.range, fmt::format("the buffer {} has no valid size: its dimensions must be "
                                         "positive and its bytes fit in 48 bits",
                                         buffer.name));
    }
    for (const Table &table : kernel_.tables)
      check_table(table);
    block(kernel_.body);
  }

private:
  void check_table(const Table &table) {
    if (table.dtype != DType::i32 && table.dtype != DType::f32)
      error(kernel_.range, fmt::format("the table {} is {}: tables are i32 or f32", table.name,
                                       name_of(table.dtype)));
    std::optional<int64_t> count = element_count(table.shape, most_table_elements);
    if (!count || *count != std::ssize(table.values))
      error(kernel_.range,
            fmt::format("the table {} must list an element for each position, and no more than {}, "
                        "but it is {} and lists {}",
                        table.name, most_table_elements, cnnc::to_string(table.shape),
                        table.values.size()));
    for (double value : table.values)
      if (table.dtype == DType::i32 &&
          !(value == std::trunc(value) && value >= std::numeric_limits<int32_t>::min() &&
            value <= std::numeric_limits<int32_t>::max()))
        return error(kernel_.range, fmt::format("{} is no i32, in the table {}",
                                                format_number(value), table.name));
  }

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

  void check_name(std::string_view name, std::string_view what, const SourceRange &range) {
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
    if (!reg.in_memory && reg.dtype != register_type(reg.dtype))
      error(range, fmt::format("the register {} is {}, but registers are f32 or i32", reg.name,
                               name_of(reg.dtype)));
    if (!element_count(reg.shape, most))
      error(range,
            fmt::format("the {} {} must have between 1 and {} elements", what, reg.name, most));
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
      else if (loop.kind == LoopKind::vector && *extent > most_lanes)
        error(range, fmt::format("the vector loop {} has {} lanes, but {} are the most",
                                 loop.variable, *extent, most_lanes));
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
      fits = fits && within(term.factor) && term.divisor <= largest_number && within(term.limit);
      if (term.divides())
        check_index(*term.inner, range);
      else if (term.kind == Term::Kind::lookup)
        check_lookup(term, index, range);
      else if (!scope_.binds(term.variable))
        error(range, fmt::format("there is no loop {} around this", term.variable));
    }
    if (!fits)
      error(range, fmt::format("a number in the index {} is too large", to_string(index)));
  }

  void check_lookup(const Term &term, const Index &index, const SourceRange &range) {
    for (const Index &subscript : term.subscripts)
      check_index(subscript, range);
    const Storage *storage = storages_.find(term.variable);
    const bool table = storage && storage->kind == Storage::Kind::table;
    const bool input = storage && storage->kind == Storage::Kind::input;
    const bool integers =
        storage && (storage->dtype == DType::i32 || (input && storage->dtype == DType::i64));
    if ((!table && !input) || !integers)
      return error(range,
                   fmt::format("{} cannot be looked up, in {}: only tables of i32 and inputs "
                               "of i32 or i64 can",
                               term.variable, to_string(index)));
    if (storage->shape->size() != term.subscripts.size())
      error(range, fmt::format("{} has {} dimensions, but is looked up with {} subscripts, in {}",
                               term.variable, storage->shape->size(), term.subscripts.size(),
                               to_string(index)));
    if (input && term.limit < 1)
      error(range, fmt::format("a lookup in the input {} needs a limit, as in lookup({}, 80)",
                               term.variable, to_string(index)));
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

  void check_load(const Access &access, const Assign &assign, const SourceRange &range) {
    Storage *storage = check_access(access, assign, range);
    if (storage && !storage->assigned) {
      error(range, fmt::format("the {} {} is read before it is assigned, in {}",
                               spell(storage->kind), access.buffer, spell(assign)));
      storage->assigned = true; // said once
    }
  }

  void check_expression(const Expression &expression, const Assign &assign,
                        const SourceRange &range) {
    if (expression.kind == Expression::Kind::load)
      check_load(expression.access, assign, range);
    if (expression.kind == Expression::Kind::value || expression.kind == Expression::Kind::uniform)
      check_index(expression.access.subscripts[0], range);
    if (expression.kind == Expression::Kind::call &&
        expression.arguments.size() != argument_count(expression.function))
      error(range, fmt::format("a function has {} arguments instead of {}",
                               expression.arguments.size(), argument_count(expression.function)));
    for (const Expression &argument : expression.arguments)
      check_expression(argument, assign, range);
    if (dot_width(expression) > 0)
      check_dot(expression, assign, range);
    if (expression.kind == Expression::Kind::call && expression.function == Function::entry)
      check_entry(expression, assign, range);
  }

  /// Of an input, which does not change, however the loops are ordered.
  void check_entry(const Expression &entry, const Assign &assign, const SourceRange &range) {
    const Expression &table = entry.arguments[0];
    const Storage *storage =
        table.kind == Expression::Kind::load ? storages_.find(table.access.buffer) : nullptr;
    const bool bytes = storage && storage->kind == Storage::Kind::input &&
                       is_integer(storage->dtype) && size_of(storage->dtype) == 1 &&
                       !storage->shape->empty();
    if (!bytes)
      error(range,
            fmt::format("entry takes an element of an input of i8 or u8, in {}", spell(assign)));
  }

  void check_dot(const Expression &dot, const Assign &assign, const SourceRange &range) {
    const bool four = dot.function == Function::dot4;
    for (const Expression &argument : dot.arguments) {
      const Storage *storage = argument.kind == Expression::Kind::load
                                   ? storages_.find(argument.access.buffer)
                                   : nullptr;
      const bool neighbours = storage && storage->kind != Storage::Kind::reg &&
                              is_integer(storage->dtype) &&
                              size_of(storage->dtype) <= (four ? 1 : 2) && !storage->shape->empty();
      if (!neighbours)
        error(range, fmt::format("{} neighbours each of two buffers of {}, in {}",
                                 four ? "dot4 takes four" : "dot2 takes two",
                                 four ? "i8 or u8" : "i16, i8 or u8", spell(assign)));
    }
  }

  void assign(const Assign &assign, const SourceRange &range) {
    check_expression(assign.value, assign, range);
    auto dtype_of = [&](const std::string &name) {
      const Storage *storage = storages_.find(name);
      return storage ? std::optional(storage->dtype) : std::nullopt;
    };
    const std::string_view dot = dot_in(assign.value);
    if (!dot.empty() && !computes_integers(assign, dtype_of))
      error(range, fmt::format("{} gives an i32, which may be added to integers and stored to an "
                               "i32 alone, in {}",
                               dot, spell(assign)));
    if (assign.accumulate)
      check_load(assign.target, assign, range);
    Storage *target = check_access_once(assign, range);
    if (!target)
      return;
    if (target->kind == Storage::Kind::input || target->kind == Storage::Kind::table)
      error(range, fmt::format("the {} {} cannot be assigned, in {}",
                               target->kind == Storage::Kind::input ? "input" : "table",
                               assign.target.buffer, spell(assign)));
    target->assigned = true;
  }

  /// The target of an accumulation has been checked as a load.
  Storage *check_access_once(const Assign &assign, const SourceRange &range) {
    return assign.accumulate ? storages_.find(assign.target.buffer)
                             : check_access(assign.target, assign, range);
  }

  int depth_ = 0;
};

/// The bounds of accesses, lookups included.
class BoundsWalk : Walk {
public:
  using Walk::Walk;

  void kernel() { block(kernel_.body); }

private:
  void block(const std::vector<Statement> &statements) {
    size_t outside = storages_.size();
    for (const Statement &statement : statements) {
      if (auto *loop = std::get_if<For>(&statement.node)) {
        for (const std::vector<Index> *bounds : {&loop->lower, &loop->upper})
          for (const Index &bound : *bounds)
            lookups(bound, statement.range);
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
    if (const int64_t width = dot_width(value); width > 0)
      for (const Expression &argument : value.arguments) {
        Access last = argument.access; // of the neighbours
        last.subscripts.back() = last.subscripts.back() + (width - 1);
        access(last, assign, range);
      }
    if (value.kind == Expression::Kind::call && value.function == Function::entry) {
      Access last = value.arguments[0].access; // of the 256
      last.subscripts.back() = last.subscripts.back() + 255;
      access(last, assign, range);
    }
    if (value.kind == Expression::Kind::value)
      number(value.access.subscripts[0], assign, range);
    if (value.kind == Expression::Kind::uniform)
      place(value.access.subscripts[0], assign, range);
    for (const Expression &argument : value.arguments)
      expression(argument, assign, range);
  }

  /// Indices become numbers by way of 32 bits.
  void number(const Index &index, const Assign &assign, const SourceRange &range) {
    lookups(index, range);
    std::optional<Range> values = scope_.range_of(index);
    if (!values || values->min < std::numeric_limits<int32_t>::min() ||
        values->max > std::numeric_limits<int32_t>::max())
      error(range, fmt::format("value({}) {}, but has to fit 32 bits, in {}", to_string(index),
                               reach(values), spell(assign)));
  }

  /// Random numbers are numbered by 32 bits.
  void place(const Index &index, const Assign &assign, const SourceRange &range) {
    lookups(index, range);
    std::optional<Range> values = scope_.range_of(index);
    if (!values || values->min < 0 || values->max > std::numeric_limits<uint32_t>::max())
      error(range, fmt::format("the place {} of a random number {}, but has to lie in [0, 2^32), "
                               "in {}",
                               to_string(index), reach(values), spell(assign)));
  }

  /// What the index looks up lies in the table or input. Code generation may move a lookup out of
  /// the loops whose variables it does not use, even where these have no iteration: the ranges of
  /// the variables that it uses have to do.
  void lookups(const Index &index, const SourceRange &range) {
    for (const Term &term : index.terms) {
      if (term.divides())
        lookups(*term.inner, range);
      if (term.kind != Term::Kind::lookup)
        continue;
      for (const Index &subscript : term.subscripts)
        lookups(subscript, range);
      inside({term.variable, term.subscripts}, range,
             [&] { return to_string(Index::lookup(term.variable, term.subscripts, term.limit)); });
    }
  }

  void access(const Access &access, const Assign &assign, const SourceRange &range) {
    for (const Index &subscript : access.subscripts)
      lookups(subscript, range);
    inside(access, range, [&] { return spell(assign); });
  }

  /// `where` spells what an error is in; that takes longer than all checks, hence happens for errors only.
  void inside(const Access &access, const SourceRange &range, const auto &where) {
    const Storage *storage = storages_.find(access.buffer);
    if (!storage || storage->shape->size() != access.subscripts.size())
      return;
    for (size_t d = 0; d < access.subscripts.size(); ++d) {
      int64_t size = (*storage->shape)[d];
      std::optional<Range> values = scope_.range_of(access.subscripts[d]);
      bool never_runs = values && values->min > values->max;
      if (never_runs || (values && values->min >= 0 && values->max < size))
        continue;
      error(range, fmt::format("{} leaves its buffer: dimension {} is in 0..{} but the subscript "
                               "{} {}, in {}",
                               to_string(access), d, size, to_string(access.subscripts[d]),
                               reach(values), where()));
    }
  }

  static std::string reach(const std::optional<Range> &values) {
    return values ? fmt::format("runs from {} to {}", values->min, values->max)
                  : std::string("has no known range");
  }
};

} // namespace

bool verify(const Kernel &kernel, Diagnostics &diagnostics) {
  size_t before = diagnostics.error_count();
  RulesWalk(kernel, diagnostics).kernel();
  // Without these rules bounds mean nothing, and would only repeat the errors.
  return diagnostics.error_count() == before && verify_bounds(kernel, diagnostics);
}

bool verify_schedule(const Kernel &kernel, Diagnostics &diagnostics) {
  if (!check_names(kernel.schedule, schedulable_loops(kernel.body), kernel.name, kernel.range,
                   diagnostics) ||
      !check_sizes(kernel.schedule, kernel.range, diagnostics))
    return false;
  auto refuse = [&](const std::vector<LoopFactor> &factors, const char *message) {
    for (const LoopFactor &factor : factors)
      diagnostics.error(factor.range.known() ? factor.range : kernel.range, message);
  };
  refuse(kernel.schedule.stage,
         "stages are for lower_loops, which writes them as loops: they stand "
         "in the graph text only");
  refuse(kernel.schedule.partial, "partial sums are for lower_loops, which writes them as loops: "
                                  "they stand in the graph text only");
  return kernel.schedule.stage.empty() && kernel.schedule.partial.empty();
}

bool verify_bounds(const Kernel &kernel, Diagnostics &diagnostics) {
  size_t before = diagnostics.error_count();
  BoundsWalk(kernel, diagnostics).kernel();
  return diagnostics.error_count() == before;
}

} // namespace cnnc::loop
