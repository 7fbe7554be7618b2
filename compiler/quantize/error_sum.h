// How far numbers are off, in one number.
#pragma once

#include <cmath>
#include <span>

namespace cnnc {

/// Squares of differences, and of what they are differences from, over as many tensors as are added.
class ErrorSum {
public:
  void add(std::span<const float> numbers, std::span<const float> reference) {
    for (size_t i = 0; i < reference.size(); ++i) {
      const double expected = static_cast<double>(reference[i]);
      const double difference = static_cast<double>(numbers[i]) - expected;
      difference_ += difference * difference;
      reference_ += expected * expected;
    }
  }
  /// The quotient of both, as magnitudes; infinite for differences from zeros.
  double relative() const { return difference_ == 0 ? 0 : std::sqrt(difference_ / reference_); }

private:
  double difference_ = 0, reference_ = 0;
};

} // namespace cnnc
