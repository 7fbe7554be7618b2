#include "compiler/lowering/linear_map.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

using loop::Expression;

namespace {

bool is_column_pair(const Matrix &matrix, size_t a, size_t b) {
  for (size_t row = 0; row < matrix.size(); ++row)
    if (matrix[row][a] == 0 || matrix[row][b] != (row % 2 == 0 ? 1 : -1) * matrix[row][a])
      return false;
  return true;
}

Expression fused(Expression value, double factor, Expression addend) {
  return loop::call(loop::Function::fma,
                    {std::move(value), loop::number(factor), std::move(addend)});
}

/// A sum that begins with an element whose factor is 1, if there is one.
Expression sum(const std::vector<double> &factors, const std::vector<Expression> &x) {
  std::optional<Expression> result;
  size_t first =
      static_cast<size_t>(std::find(factors.begin(), factors.end(), 1.0) - factors.begin());
  if (first < factors.size())
    result = x[first];
  for (bool unit : {false, true})
    for (size_t k = 0; k < factors.size(); ++k) {
      double factor = factors[k];
      if (factor == 0 || k == first || (std::abs(factor) == 1) != unit)
        continue;
      if (!result)
        result =
            factor == -1 ? loop::call(loop::Function::neg, {x[k]}) : x[k] * loop::number(factor);
      else if (unit)
        result = factor == 1 ? *result + x[k] : *result - x[k];
      else
        result = fused(x[k], factor, std::move(*result));
    }
  return result ? std::move(*result) : loop::number(0);
}

} // namespace

std::vector<Expression> LinearMap::by_row_pairs(const Matrix &matrix,
                                                const std::vector<Expression> &x) {
  std::vector<std::optional<Expression>> y(matrix.size());
  for (size_t i = 0; i < matrix.size(); ++i)
    for (size_t j = i + 1; j < matrix.size() && !y[i]; ++j)
      if (!y[j])
        row_pair(matrix[i], matrix[j], x, y[i], y[j]);
  std::vector<Expression> result;
  for (size_t i = 0; i < matrix.size(); ++i)
    result.push_back(y[i] ? std::move(*y[i]) : sum(matrix[i], x));
  return result;
}

std::vector<Expression> LinearMap::by_column_pairs(Matrix matrix, std::vector<Expression> x) {
  for (size_t a = 0; a < x.size(); ++a)
    for (size_t b = a + 1; b < x.size(); ++b) {
      if (!is_column_pair(matrix, a, b))
        continue;
      Expression total = shared(x[a] + x[b]), difference = shared(x[a] - x[b]);
      x[a] = std::move(total);
      x[b] = std::move(difference);
      for (size_t row = 0; row < matrix.size(); ++row) {
        matrix[row][b] = row % 2 == 0 ? 0 : matrix[row][a];
        if (row % 2 != 0)
          matrix[row][a] = 0;
      }
    }
  std::vector<Expression> result;
  for (const std::vector<double> &row : matrix)
    result.push_back(sum(row, x));
  return result;
}

Expression LinearMap::shared(Expression value) {
  if (value.kind == Expression::Kind::load)
    return value;
  std::string name = fmt::format("sum.{}", count_++);
  statements_.push_back(loop::make_register(name));
  statements_.push_back(loop::make_assign({name, {}}, std::move(value)));
  return loop::load(name, {});
}

void LinearMap::row_pair(const std::vector<double> &a, const std::vector<double> &b,
                         const std::vector<Expression> &x, std::optional<Expression> &ya,
                         std::optional<Expression> &yb) {
  std::vector<double> same(a.size(), 0.0), opposite(a.size(), 0.0);
  double smallest = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    if (std::abs(a[k]) != std::abs(b[k]))
      return;
    (a[k] == b[k] ? same : opposite)[k] = a[k];
    if (a[k] != b[k] && (smallest == 0 || std::abs(a[k]) < smallest))
      smallest = std::abs(a[k]);
  }
  if (smallest == 0 || same == std::vector<double>(a.size(), 0.0))
    return;
  // The factor of the opposite part goes into the two fused operations that use it.
  for (double &factor : opposite)
    factor /= smallest;
  Expression even = shared(sum(same, x)), odd = shared(sum(opposite, x));
  if (smallest == 1) {
    ya = even + odd;
    yb = even - odd;
    return;
  }
  ya = fused(odd, smallest, even);
  yb = fused(odd, -smallest, even);
}

} // namespace cnnc
