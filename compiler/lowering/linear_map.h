// Products of a constant matrix and a vector of expressions, written with few operations: the
// transforms of Winograd's method (compiler/tensor/winograd.h).
#pragma once

#include "compiler/tensor/winograd.h"
#include "ir/loop/loop.h"

namespace cnnc {

class LinearMap {
public:
  /// Registers for shared sums go to `statements`.
  explicit LinearMap(std::vector<loop::Statement> &statements) : statements_(statements) {}

  /// M x where rows come in pairs that differ in the signs of some elements, as those of B^T and G
  /// do for the points p and -p: such a pair needs one sum of what is equal and one of what is
  /// opposite.
  std::vector<loop::Expression> by_row_pairs(const Matrix &matrix,
                                             const std::vector<loop::Expression> &x);

  /// M x where columns come in pairs that are equal in even rows and opposite in odd ones, as those
  /// of A^T are for the points p and -p: the sum and the difference of their two x serve all rows.
  std::vector<loop::Expression> by_column_pairs(Matrix matrix, std::vector<loop::Expression> x);

private:
  loop::Expression shared(loop::Expression value);
  void row_pair(const std::vector<double> &a, const std::vector<double> &b,
                const std::vector<loop::Expression> &x, std::optional<loop::Expression> &ya,
                std::optional<loop::Expression> &yb);

  std::vector<loop::Statement> &statements_;
  int count_ = 0;
};

} // namespace cnnc
