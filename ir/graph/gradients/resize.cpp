// Gradients of resize2d, which is linear, and of its transpose.
#include "ir/graph/gradients/backward.h"

namespace cnnc {

void Resize2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  Resize2dGradient op;
  op.input = {x.dim(2), x.dim(3)};
  op.scales = scales;
  op.mode = mode;
  op.coordinates = coordinates;
  op.nearest = nearest;
  op.cubic_coeff_a = cubic_coeff_a;
  op.exclude_outside = exclude_outside;
  op.antialias = antialias;
  op.roi = roi;
  backward.give(0, apply(op, {backward.gradient()}));
}

void Resize2dGradient::differentiate(Backward &backward) const {
  const Term given = backward.operand(0);
  backward.give(0, apply(forward({given.dim(2), given.dim(3)}), {backward.gradient()}));
}

} // namespace cnnc
