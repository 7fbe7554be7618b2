#include "compiler/reference/run_loops.h"

#include "compiler/reference/random.h"
#include "compiler/tensor/narrow.h"
#include "ir/loop/integers.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <set>
#include <stdexcept>

namespace cnnc::loop {

namespace {

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments &&...arguments) {
  throw Violation(fmt::format(format, std::forward<Arguments>(arguments)...));
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Iterations of parallel loops as a tree, and which of them may run at the same time.
class Iterations {
public:
  size_t current() const { return current_; }
  size_t new_loop() { return ++loops_; }
  void enter(size_t loop) {
    nodes_.push_back({current_, loop, nodes_[current_].depth + 1});
    current_ = nodes_.size() - 1;
  }
  void leave() { current_ = nodes_[current_].parent; }

  /// Whether two iterations belong to, or lie in, different iterations of one parallel loop.
  bool simultaneous(size_t a, size_t b) const {
    while (nodes_[a].depth > nodes_[b].depth)
      a = nodes_[a].parent;
    while (nodes_[b].depth > nodes_[a].depth)
      b = nodes_[b].parent;
    if (a == b)
      return false;
    while (nodes_[a].parent != nodes_[b].parent)
      a = nodes_[a].parent, b = nodes_[b].parent;
    return nodes_[a].loop == nodes_[b].loop;
  }

private:
  struct Node {
    size_t parent, loop, depth;
  };
  std::vector<Node> nodes_ = {{0, 0, 0}};
  size_t current_ = 0, loops_ = 0;
};

/// A buffer or a register array.
struct Storage {
  struct State {
    bool stored = false;
    size_t writer = 0, reader = 0; // iterations
  };
  std::vector<int64_t> shape;
  std::vector<double> elements;
  std::vector<State> states;
  bool read_only = false;
  DType dtype = DType::f32;

  explicit Storage(std::vector<int64_t> dims, DType type = DType::f32)
      : shape(std::move(dims)), dtype(type) {
    int64_t count = 1;
    for (int64_t dim : shape)
      count *= dim;
    elements.assign(static_cast<size_t>(count), std::numeric_limits<double>::quiet_NaN());
    states.resize(elements.size());
  }
};

class Interpreter {
public:
  void add_input(const Buffer &buffer, const Buffers &buffers) {
    Storage storage(buffer.shape, buffer.dtype);
    auto given = buffers.find(buffer.name);
    if (given == buffers.end() || given->second.size() != storage.elements.size())
      fail("input {} needs {} elements", buffer.name, storage.elements.size());
    storage.elements = given->second;
    storage.read_only = true;
    for (Storage::State &state : storage.states)
      state.stored = true;
    add(buffer.name, std::move(storage));
  }
  void add_table(const Table &table) {
    Storage storage(table.shape, table.dtype);
    for (size_t i = 0; i < table.values.size(); ++i)
      storage.elements.at(i) = table.values[i];
    storage.read_only = true;
    for (Storage::State &state : storage.states)
      state.stored = true;
    add(table.name, std::move(storage));
  }
  void add(const std::string &name, Storage storage) {
    if (!storages_.emplace(name, std::move(storage)).second)
      fail("{} is defined twice", name);
  }
  const std::vector<double> &elements(const std::string &name) { return find(name).elements; }

  void run(const std::vector<Statement> &body) {
    std::vector<std::string> registers;
    for (const Statement &statement : body)
      std::visit([&](const auto &node) { run(node, registers); }, statement.node);
    for (const std::string &name : registers)
      storages_.erase(name);
  }

private:
  Storage &find(const std::string &name) {
    auto found = storages_.find(name);
    if (found == storages_.end())
      fail("there is no buffer or register {}", name);
    return found->second;
  }

  void run(const Register &reg, std::vector<std::string> &registers) {
    add(reg.name, Storage(reg.shape, reg.dtype));
    registers.push_back(reg.name);
  }

  void run(const Assign &assign, std::vector<std::string> &) {
    store(assign.target, value_of(assign));
  }

  void run(const For &loop, std::vector<std::string> &) {
    int64_t lower = bound(loop.lower, true), upper = bound(loop.upper, false);
    if (variables_.count(loop.variable))
      fail("{} is bound twice", loop.variable);
    if (loop.kind == LoopKind::vector)
      run_lanes(loop, lower, upper);
    else if (loop.kind == LoopKind::parallel)
      run_parallel(loop, lower, upper);
    else
      for (int64_t i = lower; i < upper; ++i) {
        variables_[loop.variable] = i;
        run(loop.body);
      }
    variables_.erase(loop.variable);
  }

  void run_parallel(const For &loop, int64_t lower, int64_t upper) {
    size_t id = iterations_.new_loop();
    for (int64_t i = upper; i-- > lower;) {
      variables_[loop.variable] = i;
      iterations_.enter(id);
      run(loop.body);
      iterations_.leave();
    }
  }

  /// Every statement for all lanes: all values first, then all stores.
  void run_lanes(const For &loop, int64_t lower, int64_t upper) {
    for (const Statement &statement : loop.body) {
      const auto *assign = std::get_if<Assign>(&statement.node);
      if (!assign)
        fail("the vector loop {} holds more than assignments", loop.variable);
      std::vector<double> values;
      for (variables_[loop.variable] = lower; variables_[loop.variable] < upper;
           ++variables_[loop.variable])
        values.push_back(value_of(*assign));
      std::set<size_t> places;
      for (int64_t i = lower; i < upper; ++i) {
        variables_[loop.variable] = i;
        if (!places.insert(position(find(assign->target.buffer), assign->target)).second)
          fail("two lanes store to {}", to_string(assign->target));
        store(assign->target, values[static_cast<size_t>(i - lower)]);
      }
    }
  }

  /// The new value of the target; `c += a * b` is rounded once.
  double value_of(const Assign &assign) {
    const Expression &value = assign.value;
    auto dtype_of = [&](const std::string &name) { return std::optional(find(name).dtype); };
    if (computes_integers(assign, dtype_of)) {
      const int64_t before =
          assign.accumulate ? static_cast<int64_t>(load_element(assign.target)) : 0;
      return wrapped(before + integer(value));
    }
    if (!assign.accumulate && value.kind == Expression::Kind::load)
      return load_element(value.access); // a plain copy
    if (!assign.accumulate)
      return evaluate(value);
    bool product = value.kind == Expression::Kind::call && value.function == Function::mul;
    if (product) {
      float a = evaluate(value.arguments[0]), b = evaluate(value.arguments[1]);
      return std::fma(a, b, load(assign.target));
    }
    float term = evaluate(value);
    return load(assign.target) + term;
  }

  int64_t bound(const std::vector<Index> &alternatives, bool greatest) {
    if (alternatives.empty())
      fail("a loop has no bound");
    int64_t result = evaluate(alternatives[0]);
    for (const Index &index : alternatives)
      result = greatest ? std::max(result, evaluate(index)) : std::min(result, evaluate(index));
    return result;
  }

  int64_t evaluate(const Index &index) {
    int64_t result = index.constant;
    for (const Term &term : index.terms) {
      int64_t value = 0;
      if (term.kind == Term::Kind::variable) {
        auto found = variables_.find(term.variable);
        if (found == variables_.end())
          fail("{} is not bound", term.variable);
        value = found->second;
      } else if (term.kind == Term::Kind::lookup) {
        value = static_cast<int64_t>(load_element({term.variable, term.subscripts}));
        if (term.limit > 0) {
          value += value < 0 ? term.limit : 0;
          value = value < 0 ? 0 : value >= term.limit ? term.limit - 1 : value;
        }
      } else {
        int64_t inner = evaluate(*term.inner), quotient = floor_div(inner, term.divisor);
        value = term.kind == Term::Kind::quotient ? quotient : inner - quotient * term.divisor;
      }
      result += term.factor * value;
    }
    return result;
  }

  size_t position(const Storage &storage, const Access &access) {
    if (access.subscripts.size() != storage.shape.size())
      fail("{} needs {} subscripts", to_string(access), storage.shape.size());
    int64_t result = 0;
    for (size_t i = 0; i < storage.shape.size(); ++i) {
      int64_t subscript = evaluate(access.subscripts[i]);
      if (subscript < 0 || subscript >= storage.shape[i])
        fail("{}: subscript {} is {}, but the dimension has {} elements{}", to_string(access), i,
             subscript, storage.shape[i], where());
      result = result * storage.shape[i] + subscript;
    }
    return static_cast<size_t>(result);
  }

  /// Modulo 2^32.
  static int32_t wrapped(int64_t value) {
    return static_cast<int32_t>(static_cast<uint32_t>(value));
  }

  int64_t integer(const Expression &expression) {
    if (expression.kind == Expression::Kind::number)
      return static_cast<int64_t>(expression.number);
    if (expression.kind == Expression::Kind::load)
      return static_cast<int64_t>(load_element(expression.access));
    if (const int64_t width = loop::dot_width(expression); width > 0)
      return dot(width, expression.arguments.at(0).access, expression.arguments.at(1).access);
    const int64_t a = integer(expression.arguments.at(0));
    const int64_t b = integer(expression.arguments.at(1));
    if (expression.function == Function::min || expression.function == Function::max)
      return expression.function == Function::min ? std::min(a, b) : std::max(a, b);
    return wrapped(expression.function == Function::add   ? a + b
                   : expression.function == Function::sub ? a - b
                                                          : a * b);
  }

  int64_t dot(int64_t width, Access x, Access w) {
    int64_t sum = 0;
    for (int64_t i = 0; i < width; ++i) {
      sum += static_cast<int64_t>(load_element(x)) * static_cast<int64_t>(load_element(w));
      for (Access *access : {&x, &w})
        access->subscripts.back() = access->subscripts.back() + 1;
    }
    return sum;
  }

  float load(const Access &access) { return static_cast<float>(load_element(access)); }

  double load_element(const Access &access) {
    Storage &storage = find(access.buffer);
    size_t at = position(storage, access);
    Storage::State &state = storage.states[at];
    if (!state.stored)
      fail("{} is read before anything was stored{}", to_string(access), where());
    if (iterations_.simultaneous(state.writer, iterations_.current()))
      fail("{} was stored by another iteration of a parallel loop{}", to_string(access), where());
    // Of several readers in one parallel loop the first is enough: when it stores later itself, it
    // does so before the others read, since iterations run one after the other here.
    if (!iterations_.simultaneous(state.reader, iterations_.current()))
      state.reader = iterations_.current();
    return storage.elements[at];
  }

  void store(const Access &access, double value) {
    Storage &storage = find(access.buffer);
    if (storage.read_only)
      fail("{} stores to an input", to_string(access));
    size_t at = position(storage, access);
    Storage::State &state = storage.states[at];
    for (size_t other : {state.writer, state.reader})
      if (iterations_.simultaneous(other, iterations_.current()))
        fail("{} is used by another iteration of a parallel loop{}", to_string(access), where());
    state.writer = iterations_.current();
    state.stored = true;
    storage.elements[at] = stored(value, storage.dtype);
  }

  /// The value as an element of the type. Elements are kept as doubles: integers are exact to 2^53.
  static double stored(double value, DType dtype) {
    if (dtype == DType::boolean)
      return value == 0 ? 0 : 1;
    if (is_narrow(dtype))
      return widened_bits(narrow_bits(static_cast<float>(value), dtype), dtype);
    if (is_float(dtype))
      return dtype == DType::f64 ? value : static_cast<float>(value);
    return std::isnan(value) ? 0
                             : std::trunc(std::clamp(value, static_cast<double>(least_of(dtype)),
                                                     static_cast<double>(largest_of(dtype))));
  }

  float evaluate(const Expression &expression) {
    if (expression.kind == Expression::Kind::number)
      return static_cast<float>(expression.number);
    if (expression.kind == Expression::Kind::load)
      return load(expression.access);
    if (expression.kind == Expression::Kind::value)
      return static_cast<float>(evaluate(expression.access.subscripts.at(0)));
    if (expression.kind == Expression::Kind::call && expression.function == Function::entry)
      return entry(expression.arguments.at(0).access, evaluate(expression.arguments.at(1)));
    std::vector<float> a;
    for (const Expression &argument : expression.arguments)
      a.push_back(evaluate(argument));
    if (expression.kind == Expression::Kind::uniform)
      return reference::uniform(static_cast<uint32_t>(evaluate(expression.access.subscripts.at(0))),
                                static_cast<uint32_t>(expression.number), a.at(0));
    return apply(expression.function, a);
  }

  float entry(Access table, float x) {
    if (!(x >= -128 && x <= 255 && x == std::floor(x)))
      fail("the entry {} of {} is no number of 8 bits{}", x, to_string(table), where());
    table.subscripts.back() = table.subscripts.back() + (static_cast<int64_t>(x) & 255);
    return load(table);
  }

  static float apply(Function function, const std::vector<float> &a) {
    switch (function) {
    case Function::add:
      return a.at(0) + a.at(1);
    case Function::sub:
      return a.at(0) - a.at(1);
    case Function::mul:
      return a.at(0) * a.at(1);
    case Function::div:
      return a.at(0) / a.at(1);
    case Function::neg:
      return -a.at(0);
    case Function::min:
      return a.at(0) < a.at(1) ? a.at(0) : a.at(1);
    case Function::max:
      return a.at(0) > a.at(1) ? a.at(0) : a.at(1);
    case Function::pow:
      return std::pow(a.at(0), a.at(1));
    case Function::exp:
      return std::exp(a.at(0));
    case Function::expm1:
      return std::expm1(a.at(0));
    case Function::normcdf:
      return std::erfc(-a.at(0) / std::sqrt(2.0F)) / 2;
    case Function::sin:
      return std::sin(a.at(0));
    case Function::cos:
      return std::cos(a.at(0));
    case Function::log:
      return std::log(a.at(0));
    case Function::erf:
      return std::erf(a.at(0));
    case Function::abs:
      return std::abs(a.at(0));
    case Function::floor:
      return std::floor(a.at(0));
    case Function::ceil:
      return std::ceil(a.at(0));
    case Function::round:
      return std::nearbyint(a.at(0));
    case Function::tanh:
      return std::tanh(a.at(0));
    case Function::sqrt:
      return std::sqrt(a.at(0));
    case Function::fma:
      return std::fma(a.at(0), a.at(1), a.at(2));
    case Function::dot2: // computed in integers
    case Function::dot4:
    case Function::entry: // reads memory
      break;
    case Function::select_less:
      return a.at(0) < a.at(1) ? a.at(2) : a.at(3);
    case Function::select_equal:
      return a.at(0) == a.at(1) ? a.at(2) : a.at(3);
    }
    return 0;
  }

  /// " with n = 0, c = 3"
  std::string where() const {
    std::string result;
    for (const auto &[name, value] : variables_)
      result += fmt::format("{}{} = {}", result.empty() ? " with " : ", ", name, value);
    return result;
  }

  std::map<std::string, Storage> storages_;
  std::map<std::string, int64_t> variables_;
  Iterations iterations_;
};

} // namespace

bool run_loops(const Kernel &kernel, Buffers &buffers, std::string &error) {
  try {
    Interpreter interpreter;
    for (const Buffer &buffer : kernel.inputs)
      interpreter.add_input(buffer, buffers);
    for (const std::vector<Buffer> *list : {&kernel.outputs, &kernel.locals})
      for (const Buffer &buffer : *list)
        interpreter.add(buffer.name, Storage(buffer.shape, buffer.dtype));
    for (const Table &table : kernel.tables)
      interpreter.add_table(table);
    interpreter.run(kernel.body);
    for (const Buffer &buffer : kernel.outputs)
      buffers[buffer.name] = interpreter.elements(buffer.name);
    return true;
  } catch (const Violation &violation) {
    error = fmt::format("kernel @{}: {}", kernel.name, violation.what());
    return false;
  }
}

} // namespace cnnc::loop
