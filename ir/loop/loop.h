// The loops text: what a kernel does, loop by loop. The whole grammar:
//
//   kernel    = "kernel" @name "(" buffers ")" "->" "(" buffers ")"
//               ["local" "(" buffers ")"] [schedule] "{" table* statement* "}"
//   table     = "table" name ":" type "=" "[" number {"," number} "]"      constant, i32 or f32
//   buffer    = name ":" type                          physical shape, row-major, innermost last
//   statement = loops "{" statement* "}" | register | assignment
//   loops     = [kind] variable "in" bound ".." bound {"," [kind] variable "in" bound ".." bound}
//   kind      = "for" | "parallel" | "unroll" | "vector"
//   bound     = index | "max" "(" index {"," index} ")"     (lower bounds)
//             | "min" "(" index {"," index} ")"             (upper bounds)
//   register  = ("reg" | "scratch") name ":" type           lives until its block ends
//   assignment= access ("=" | "+=") expression              c += a * b is fused where the CPU can
//   access    = name ["[" index {"," index} "]"]
//   expression= number | access | expression (+ - * /) expression | "-" expression
//             | function "(" expression {"," expression} ")"
//             | "select" "(" expression ("<" | "==") expression "," expression "," expression ")"
//             | "value" "(" index ")"                       an index as a number
//             | "uniform" "(" index "," integer "," expression ")"      place, seed, counter
//   function  = min max pow | exp expm1 log tanh erf normcdf sin cos sqrt abs floor ceil round | fma
//             | dot4                                        of two accesses
//             | entry                                       of an access and a number
//   index     = sums of variables and lookups times integers, with index / integer and
//               index % integer
//   lookup    = table "[" index {"," index} "]"
//             | "lookup" "(" access "," integer ")"         of a table or an input, and its limit
//
// Meaning. Loops run from the first bound up to, not including, the second; both belong to the
// iteration space of the loops around. `for` runs in order. The iterations of `parallel` may run in
// any order at the same time; such a loop stands outermost. `unroll` is `for` written out by the
// emitter. `vector` computes all its iterations at once, one per lane; it holds assignments only.
// `reg` elements are registers: their subscripts are constants once loops are written out.
// `scratch` is memory of the kernel's own, with any subscripts: inside a parallel loop every worker
// has one, elsewhere the kernel has one that all its loops share. Neither holds anything to begin
// with. max(a, b) is a when a > b and else b, also when one is NaN; min alike. `select` with a NaN
// takes the last. round(x) takes the even of two neighbours, pow is that of C. expm1(x) is
// exp(x) - 1 without cancellation, for x up to 88: beyond it is no number that means something.
// normcdf(x) is (1 + erf(x / sqrt 2)) / 2.
// uniform(index, seed, counter) is a random number in [0, 1) that depends on these three alone
// (compiler/README.md, "Random numbers").
// Division of indices rounds down.
//
// Arithmetic is in f32. Loads convert to it: integers beyond 2^24 are rounded to the nearest even,
// a bool is 0 or 1. Stores convert back: to an integer towards zero, what is out of range to the
// nearest integer of the type, NaN to 0; to bool, 0 is false and all else true; to bf16 and f16 the
// nearest number, the even one of two, an infinity for what is too large. A plain copy,
// x[..] = y[..], keeps integers and f64 exact: it goes from the one type to the other directly.
//
// Sums of integers are exact: where the target is an i32, register or buffer, and its new value is
// made of integers of at most 32 bits alone (elements, whole numbers, + - *, min, max, dot2, dot4),
// they are computed in i32, modulo 2^32. dot4(x[.., i], w[.., j]) is the sum of the products of four
// neighbours along the last dimension, x[.., i] * w[.., j] to x[.., i + 3] * w[.., j + 3], of i8 or
// u8, without rounding or saturation in between; dot2 is that of two neighbours, of i16, i8 or u8.
// Registers are f32 or i32.
//
// entry(t[.., i], x) is an element of 256 side by side, u8 or i8 of an input: t[.., i + x], of a
// negative x t[.., i + 256 + x]. x is a whole number of u8 or i8; for any other it is one of them.
//
// Lookups are indices that are data: y[i] = x[rows[i]]. They read tables and inputs of i32 or i64,
// never what the kernel writes, so that their values do not change while it runs. A lookup with a
// limit lies in [0, limit) whatever it reads (index.h), which proves the bounds of its access.
// Stores may have lookups in their subscripts (scatter); parallel loops have to be told apart by
// other subscripts.
#pragma once

#include "ir/loop/index.h"
#include "ir/text/schedule.h"
#include "ir/type/type.h"

#include <variant>

namespace cnnc::loop {

enum class Function {
  add,
  sub,
  mul,
  div,
  neg,
  min,
  max,
  exp,
  expm1,
  log,
  tanh,
  erf,
  normcdf,
  sin,
  cos,
  sqrt,
  abs,
  floor,
  ceil,
  round,
  pow,
  fma,
  dot4,
  entry,
  select_less,
  select_equal,
  dot2
};

/// Element of a buffer or register array.
struct Access {
  std::string buffer;
  std::vector<Index> subscripts;
  bool operator==(const Access &) const = default;
};

struct Expression {
  enum class Kind { number, load, call, value, uniform };
  Kind kind = Kind::number;
  double number = 0;                 // number; uniform: the seed
  Access access;                     // load; value, uniform: the index alone, as the one subscript
  Function function = Function::add; // call
  std::vector<Expression> arguments; // call; select_less(a, b, c, d) is a < b ? c : d
                                     // uniform: the counter
  bool operator==(const Expression &) const = default;
};

Expression number(double value);
Expression load(std::string buffer, std::vector<Index> subscripts);
Expression call(Function function, std::vector<Expression> arguments);
Expression value(Index index);
Expression uniform(Index index, int64_t seed, Expression counter);
Expression operator+(Expression a, Expression b);
Expression operator-(Expression a, Expression b);
Expression operator*(Expression a, Expression b);
Expression operator/(Expression a, Expression b);

enum class LoopKind { serial, parallel, unroll, vector };

struct Statement;

struct For {
  LoopKind kind = LoopKind::serial;
  std::string variable;
  std::vector<Index> lower = {Index(0)}; // the largest counts
  std::vector<Index> upper;              // the smallest counts
  std::vector<Statement> body;

  /// Number of iterations when both bounds are constants.
  std::optional<int64_t> extent() const;
  bool operator==(const For &) const;
};

struct Register {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape; // empty: one scalar
  bool in_memory = false;     // scratch
  bool operator==(const Register &) const = default;
};

struct Assign {
  Access target;
  bool accumulate = false;
  Expression value;
  bool operator==(const Assign &) const = default;
};

struct Statement {
  std::variant<For, Register, Assign> node;
  SourceRange range; // empty for statements that passes made
  bool operator==(const Statement &other) const { return node == other.node; }
};

inline bool For::operator==(const For &) const = default;

struct Buffer {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  int64_t prefetch = 0; // bytes beyond every vector read from which the caches are filled; 0: not
  bool operator==(const Buffer &) const = default;
};

/// Constants that belong to the code: an element per position, row-major, of i32 or f32.
struct Table : Buffer {
  std::vector<double> values;
  bool operator==(const Table &) const = default;

  /// What a lookup in an i32 table gives whose subscripts `constant` knows; empty when it does not
  /// know one, or when one leaves the table.
  std::optional<int64_t>
  looked_up(const Term &lookup,
            const std::function<std::optional<int64_t>(const Index &)> &constant) const;
};

/// What a lookup makes of the element that it has read: see index.h.
int64_t limited(int64_t element, int64_t limit);

/// `locals` hold values between the ops of one kernel until fuse_loops turns them into registers.
struct Kernel {
  std::string name;
  std::vector<Buffer> inputs;
  std::vector<Buffer> outputs;
  std::vector<Buffer> locals;
  std::vector<Table> tables;
  Schedule schedule; // what the loop passes have still to do
  std::vector<Statement> body;
  SourceRange range;

  const Buffer *find_buffer(std::string_view name) const; // no tables
  const Table *find_table(std::string_view name) const;
};

// Building blocks.
Statement make_for(std::string variable, Index extent, std::vector<Statement> body,
                   LoopKind kind = LoopKind::serial);
Statement make_assign(Access target, Expression value, bool accumulate = false);
Statement make_register(std::string name, std::vector<int64_t> shape = {},
                        DType dtype = DType::f32);
/// Of a register for elements of a type: i32 for itself, f32 for all others.
constexpr DType register_type(DType dtype) { return dtype == DType::i32 ? dtype : DType::f32; }
Statement make_scratch(std::string name, std::vector<int64_t> shape);
/// Loops around a body, the first outermost, all from 0.
std::vector<Statement> nest(const std::vector<std::pair<std::string, int64_t>> &loops,
                            std::vector<Statement> body);

std::string to_string(const Kernel &kernel);
std::string to_string(const Expression &expression);
std::string to_string(const Access &access);

} // namespace cnnc::loop
