// Range analysis of indices: the proof that accesses stay inside their buffers, and the ground
// for dropping quotients and remainders that do nothing.
//
//   for oh in 0..28 {
//     for kh in max(0, 1 - oh * 2)..min(3, 57 - oh * 2) {     oh * 2 + kh - 1 is in [0, 55]
//
// Method: to bound an expression from above, its innermost variable is replaced by its last value
// (by its first value where its factor is negative), once for each alternative of a min or max, and
// so on outwards until a number is left; every alternative gives a valid bound, so that the
// smallest counts. Dependences between loops are kept that way, which plain interval arithmetic
// loses. A quotient or remainder is bounded through its inner expression. All arithmetic is
// checked.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

/// All integers from min to max, both included. min > max: no value, the loops never run.
struct Range {
  int64_t min = 0;
  int64_t max = 0;
  bool operator==(const Range &) const = default;
};

/// The loops around a statement, outermost first.
class Scope {
public:
  Scope() = default;
  /// With the tables of the kernel, which outlives the scope: it knows what lookups in them give.
  explicit Scope(const Kernel &kernel) : kernel_(&kernel) {}

  /// Enters a loop; its bounds are read with the loops pushed so far.
  void push(const For &loop);
  void pop();
  bool binds(const std::string &variable) const;

  /// A range that contains every value the index takes in these loops; the smallest one for bounds
  /// and subscripts as lowering and tiling make them. Empty when a variable is not bound here or a
  /// number does not fit.
  std::optional<Range> range_of(const Index &index) const;

  /// What a lookup gives: an element of the table, within the limit. Empty when neither is known.
  std::optional<Range> range_of_lookup(const Term &term) const;
  /// The element of a table that a lookup with constant subscripts gives.
  std::optional<int64_t> element_of(const Term &lookup) const;

private:
  /// factor * variable, or factor * (a quotient, remainder or lookup whose range is known).
  /// Eliminated from
  /// the highest order to the lowest: 2 * depth for a loop's variable, one more for what it makes
  /// innermost.
  struct Part {
    int order = 0;
    int64_t factor = 1;
    Term::Kind kind = Term::Kind::variable;
    std::shared_ptr<const Index> inner;
    int64_t divisor = 1;
    std::string lookup; // as it is spelt
    Range range;        // all but variables
  };
  struct Sum {
    std::vector<Part> parts; // by ascending order
    int64_t constant = 0;
  };
  struct Level {
    std::string variable;
    std::vector<Sum> first; // alternatives; the largest counts
    std::vector<Sum> last;  // alternatives; the smallest counts
  };

  static bool same_atom(const Part &a, const Part &b);
  static bool add(Sum &sum, const Sum &other, int64_t factor);
  static bool add(Sum &sum, const Part &part, int64_t factor);
  std::optional<Sum> read(const Index &index) const;
  std::optional<Part> read(const Term &term) const;
  std::optional<Part> read_lookup(Part part, const Term &term) const;
  std::optional<Range> range_of(const Sum &sum) const;
  std::optional<int64_t> maximum(Sum sum, int &budget) const;

  const Kernel *kernel_ = nullptr;
  std::vector<Level> levels_;
};

/// The same value with fewer quotients, remainders and lookups, as far as the ranges prove it:
/// rows[2] is the table's element;
/// (a * 16 + b) / 16 is a and b % 16 is b where b is in [0, 15];
/// (a * 16 + b) % 32 is (a % 2) * 16 + b.
Index simplify(const Index &index, const Scope &scope);

} // namespace cnnc::loop
