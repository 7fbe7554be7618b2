// Subscripts and loop bounds: sums of loop variables with constant factors, of quotients and
// remainders of such sums by constants (quasi-affine expressions), and of lookups: integers read
// from a table or an input. Kept in one canonical form, so that equal expressions compare equal.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cnnc::loop {

struct Index;

/// factor * variable, factor * (inner / divisor), factor * (inner % divisor) or factor * a lookup.
/// Division rounds down and the remainder is never negative.
///
/// A lookup is an element of a table or of an input of the kernel. With a limit, a negative element
/// counts from the limit, -1 being limit - 1, and what is then not in [0, limit) is moved to the
/// nearest end: whatever the input holds, the index stays in [0, limit).
struct Term {
  enum class Kind { variable, quotient, remainder, lookup };
  int64_t factor = 1;
  Kind kind = Kind::variable;
  std::string variable;               // lookup: the table or input
  std::shared_ptr<const Index> inner; // quotient, remainder
  int64_t divisor = 1;                // quotient, remainder
  std::vector<Index> subscripts;      // lookup
  int64_t limit = 0;                  // lookup; 0: none, the element is the index

  bool divides() const { return kind == Kind::quotient || kind == Kind::remainder; }
  /// Whether the value depends on a loop variable.
  bool uses(const std::string &variable) const;
};

struct Index {
  std::vector<Term> terms; // sorted by spelling, no two alike, no factor 0
  int64_t constant = 0;

  Index() = default;
  Index(int64_t value) : constant(value) {} // NOLINT: numbers are indices
  Index(int value) : constant(value) {}     // NOLINT
  static Index variable(std::string name);
  static Index lookup(std::string buffer, std::vector<Index> subscripts, int64_t limit = 0);

  bool is_constant() const { return terms.empty(); }
  /// The name when the whole expression is one variable.
  std::optional<std::string> as_variable() const;
  bool uses(const std::string &variable) const;
  /// Whether different values of the variable may look up the same element, so that the index does
  /// not tell them apart.
  bool looks_up_with(const std::string &variable) const;
  bool operator==(const Index &other) const;
};

Index operator+(const Index &a, const Index &b);
Index operator-(const Index &a, const Index &b);
Index operator*(const Index &a, int64_t factor);
Index operator/(const Index &a, int64_t divisor); // divisor > 0, rounds down
Index operator%(const Index &a, int64_t divisor); // divisor > 0, result in [0, divisor)

/// The expression with every occurrence of a variable replaced; the function returns empty to keep
/// it.
Index substitute(const Index &index,
                 const std::function<std::optional<Index>(const std::string &)> &replacement);
Index substitute(const Index &index, const std::string &variable, const Index &value);

/// The expression with the tables and inputs of its lookups renamed.
Index rename_lookups(const Index &index, const std::function<void(std::string &)> &rename);

/// A term without its factor.
std::string to_string(const Term &term);

/// `oh * 2 + kh - 1`, `rows[oh]`, `lookup(indices[i], 80)`
std::string to_string(const Index &index);

} // namespace cnnc::loop
