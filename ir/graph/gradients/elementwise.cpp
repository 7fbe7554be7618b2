// Gradients of element-wise ops: rows of the table say theirs.
#include "ir/graph/gradients/backward.h"

namespace cnnc {

void Unary::differentiate(Backward &backward) const {
  if (row->gradient != no_gradient)
    backward.give(
        0, row->gradient(backward.operand(0), backward.result(), backward.gradient(), parameters));
}

void Binary::differentiate(Backward &backward) const {
  const Term a = backward.operand(0), b = backward.operand(1), y = backward.result();
  const Term dy = backward.gradient();
  if (row->gradient_a && backward.wants(0))
    backward.give_summed(0, row->gradient_a(a, b, y, dy));
  if (row->gradient_b && backward.wants(1))
    backward.give_summed(1, row->gradient_b(a, b, y, dy));
}

void Where::differentiate(Backward &backward) const {
  const Term condition = backward.operand(0), dy = backward.gradient();
  if (backward.wants(1))
    backward.give_summed(1, where(condition, dy, 0));
  if (backward.wants(2))
    backward.give_summed(2, where(condition, 0, dy));
}

/// Whole numbers and truth values stop it.
void Cast::differentiate(Backward &backward) const {
  if (to == CastType::f32 && backward.operand(0).type().dtype == DType::f32)
    backward.give(0, backward.gradient());
}

// Steps: nothing goes back through them.
void Quantize::differentiate(Backward &) const {}
void Dequantize::differentiate(Backward &) const {}
void Lookup::differentiate(Backward &) const {}

} // namespace cnnc
