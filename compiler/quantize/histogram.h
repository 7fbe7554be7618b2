// What values a tensor takes over many images, in memory that does not grow with them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cnnc {

/// An interval of numbers that holds 0.
struct ValueRange {
  double least = 0, largest = 0;
};

/// Counts of finite numbers in bins of equal width around 0, which double in width when a number
/// lies outside of all of them.
class Histogram {
public:
  /// Returns false, and counts nothing, when one of the numbers is not finite.
  bool add(std::span<const float> numbers);

  /// Of all numbers, and 0.
  const ValueRange &extremes() const { return extremes_; }

  struct Bin {
    double center = 0;
    uint64_t count = 0;
  };
  /// Those that have numbers, from the least to the largest. Zeros, which every scale represents
  /// exactly, are in none.
  std::vector<Bin> bins() const;

private:
  void widen_to(double magnitude);

  ValueRange extremes_;
  double width_ = 0; // of a bin; 0: only zeros so far
  std::vector<uint64_t> counts_;
};

} // namespace cnnc
