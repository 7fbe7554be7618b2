// What every op computes, as a formula and as a rule for shapes: what the list of ops, editors and the
// documentation say of it beside its summary. Element-wise ops have their formula in their row.
#pragma once

#include "ir/graph/op.h"

namespace cnnc {

struct Definition {
  /// An element of the result y (of several: y and what is named there), of the operands and attributes
  /// by their names; x stands for the operand `input`.
  std::string formula;
  /// The shapes of the operands, and of the results that follow: "[n, c] -> [n, c]".
  std::string shape;
  /// The height of the result, and its width alike, where a window makes it: of `in` rows, with a
  /// window of `kernel` rows and the `pads` above and below. Empty for all others.
  std::string size;
};
Definition definition_of(const Op &op);

enum class GradientRule {
  given,   // the op has a rule
  zero,    // the gradient is 0 wherever there is one: nothing goes back through it
  missing, // asking for a gradient that depends on it is an error
  constant // the op has no operands
};
GradientRule gradient_rule(const Op &op);

/// The family of an op in words: "matrix product".
std::string_view to_string(Category category);

} // namespace cnnc
