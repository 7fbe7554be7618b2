#include "compiler/tensor/winograd.h"

#include "compiler/tensor/narrow.h"

#include <cassert>
#include <cmath>

namespace cnnc {

namespace {

using Polynomial = std::vector<double>; // coefficients, the constant one first

Polynomial multiply(const Polynomial &a, const Polynomial &b) {
  Polynomial result(a.size() + b.size() - 1, 0.0);
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j)
      result[i + j] += a[i] * b[j];
  return result;
}

/// The power of two that makes all coefficients integers: they are sums of products of halves.
double denominator(const Polynomial &coefficients) {
  double scale = 1;
  for (double value : coefficients)
    while (value * scale != std::floor(value * scale))
      scale *= 2;
  return scale;
}

} // namespace

WinogradMatrices winograd_matrices(int64_t m) {
  assert(m >= smallest_winograd && m <= largest_winograd);
  const std::vector<double> all_points = {0, 1, -1, 2, -2, 0.5, -0.5};
  const std::vector<double> points(all_points.begin(), all_points.begin() + m + 1);
  const auto rows = static_cast<size_t>(m), size = rows + 2;
  WinogradMatrices result{Matrix(rows, Polynomial(size, 0.0)), Matrix(size, Polynomial(3, 0.0)),
                          Matrix(size)};
  Polynomial all = {1};
  for (size_t i = 0; i + 1 < size; ++i) {
    // Row i of B^T are the coefficients of the product of all (x - point) but the i-th.
    Polynomial others = {1};
    double norm = 1;
    for (size_t j = 0; j + 1 < size; ++j)
      if (j != i) {
        others = multiply(others, {-points[j], 1});
        norm *= points[i] - points[j];
      }
    all = multiply(all, {-points[i], 1});
    others.resize(size, 0.0);
    const double scale = denominator(others);
    for (double &value : others)
      value *= scale;
    result.input[i] = std::move(others);
    for (size_t k = 0; k < 3; ++k)
      result.filter[i][k] = std::pow(points[i], k) / norm / scale;
    for (size_t k = 0; k < rows; ++k)
      result.output[k][i] = std::pow(points[i], k);
  }
  // The point at infinity.
  const double scale = denominator(all);
  for (double &value : all)
    value *= scale;
  result.input.back() = std::move(all);
  result.filter.back()[2] = 1 / scale;
  result.output.back().back() = 1;
  return result;
}

Tensor winograd_filter(const Tensor &filter, int64_t m) {
  if (const DType dtype = filter.type().dtype; is_narrow(dtype))
    return narrowed(winograd_filter(widened(filter), m), dtype);
  const Matrix g = winograd_matrices(m).filter;
  const size_t size = g.size();
  TensorType type = filter.type();
  type.layout = {};
  type.shape[2] = type.shape[3] = m + 2;
  Tensor result(type);
  const std::span<const float> in = filter.floats();
  float *out = result.mutable_floats().data();
  for (size_t at = 0; at < in.size(); at += 9) {
    double columns[largest_winograd + 2][3]; // G g
    for (size_t i = 0; i < size; ++i)
      for (size_t k = 0; k < 3; ++k)
        columns[i][k] = g[i][0] * in[at + k] + g[i][1] * in[at + 3 + k] + g[i][2] * in[at + 6 + k];
    for (size_t i = 0; i < size; ++i)
      for (size_t j = 0; j < size; ++j)
        *out++ = static_cast<float>(columns[i][0] * g[j][0] + columns[i][1] * g[j][1] +
                                    columns[i][2] * g[j][2]);
  }
  return result;
}

} // namespace cnnc
