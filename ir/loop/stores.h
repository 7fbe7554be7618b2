// What the stores of a kernel reach: two proofs that look at all of them together, where the bounds
// of verifier.h are a matter of each alone. For kernels that verify() accepts.
//
//   parallel task in 0..4, for i in 0..8 {
//     y[task / 2, i] = x[task, i]               tasks 0 and 1 both write y[0, 0]
//   }                                           no statement writes y[2, 0] of y: f32[4, 8]
//
// Both report what they have proved wrong, with an element, and are silent where they do not know:
// what the subscripts of a store give is bounded from above, by ranges (range.h) and by the number
// of iterations; of two tasks a few elements are compared.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

/// An assignment below the loops around it, the outermost first.
struct Store {
  const Assign *assign = nullptr;
  SourceRange range;
  std::vector<const For *> loops;
};

/// The stores to buffers and scratch, not to registers, in the order of the text.
std::vector<Store> stores_of(const Kernel &kernel);

/// Reports every result with an element that no statement assigns. One that is only added to counts
/// as not assigned.
bool verify_results_written(const Kernel &kernel, Diagnostics &diagnostics);

/// Reports every parallel loop of which two iterations write the same element.
bool verify_tasks_apart(const Kernel &kernel, Diagnostics &diagnostics);

} // namespace cnnc::loop
