// Gradients of products of matrices: dA = dY B^T, dB = A^T dY.
#include "ir/graph/gradients/backward.h"

namespace cnnc {

static Term transposed_matrices(const Term &x) {
  std::vector<int64_t> permutation = range(0, x.rank());
  std::swap(permutation[x.rank() - 1], permutation[x.rank() - 2]);
  return transpose(x, std::move(permutation));
}

void Matmul::differentiate(Backward &backward) const {
  const Term a = backward.operand(0), b = backward.operand(1), dy = backward.gradient();
  if (backward.wants(0))
    backward.give_summed(0, apply(Matmul{}, {dy, transposed_matrices(b)}));
  if (backward.wants(1))
    backward.give_summed(1, apply(Matmul{}, {transposed_matrices(a), dy}));
}

} // namespace cnnc
