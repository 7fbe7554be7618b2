// Subscripts and loop bounds: sums of loop variables with constant factors, and of quotients and
// remainders of such sums by constants (quasi-affine expressions). Kept in one canonical form, so
// that equal expressions compare equal.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cnnc::loop {

struct Index;

/// factor * variable, factor * (inner / divisor) or factor * (inner % divisor). Division rounds
/// down and the remainder is never negative.
struct Term {
  enum class Kind { variable, quotient, remainder };
  int64_t factor = 1;
  Kind kind = Kind::variable;
  std::string variable;
  std::shared_ptr<const Index> inner;
  int64_t divisor = 1;
};

struct Index {
  std::vector<Term> terms; // sorted by spelling, no two alike, no factor 0
  int64_t constant = 0;

  Index() = default;
  Index(int64_t value) : constant(value) {} // NOLINT: numbers are indices
  Index(int value) : constant(value) {}     // NOLINT
  static Index variable(std::string name);

  bool is_constant() const { return terms.empty(); }
  /// The name when the whole expression is one variable.
  std::optional<std::string> as_variable() const;
  bool uses(const std::string &variable) const;
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

/// `oh * 2 + kh - 1`
std::string to_string(const Index &index);

} // namespace cnnc::loop
