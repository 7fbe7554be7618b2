// Whether a value is what it should be: the comparisons of verify() and of `cnnc --compare`.
#pragma once

#include "compiler/cnnc.h"
#include "compiler/reference/evaluate.h"

namespace cnnc {

/// Compares every element: the largest error, in `error` infinity where one of the two alone is NaN
/// or they are not the same infinity, and in `largest` the largest finite element of the reference.
/// `wrong` where the error is above tolerance * largest.
VerifiedValue compare(std::string kernel, std::string value, const Tensor &computed,
                      const Tensor &reference, double tolerance);

/// The largest sum of magnitudes among those that ops of a kernel add up: |a| + |b| of a + b, the sum
/// of |x| |w| of a convolution. Where such terms cancel, results may be far smaller than what
/// rounding them costs. 0 where an operand cannot be had.
double largest_sum_of_magnitudes(const Graph &graph, const std::vector<const Node *> &nodes,
                                 const ValueProvider &provider);

/// Takes `wrong` back where rounding sums of such magnitudes explains the error: a fiftieth of them
/// counts as if results were so much larger.
void allow_rounding(VerifiedValue &value, double tolerance, double magnitudes);

/// How an output differs from what another program gives.
struct Difference {
  double largest = 0; ///< of what is expected, where finite
  double error = 0;   ///< the largest one, infinity where numbers, infinities or NaN do not agree
  size_t wrong = 0;   ///< elements beyond the tolerance
  size_t first = 0;   ///< of these
};

/// Compares as many elements as are expected. An element may differ by tolerance * (the largest, but
/// 1 at least) + 5 * tolerance * its own magnitude.
Difference difference(const std::vector<double> &actual, const std::vector<double> &expected,
                      double tolerance);

} // namespace cnnc
