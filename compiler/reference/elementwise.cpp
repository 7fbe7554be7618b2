#include "compiler/reference/compute.h"
#include "compiler/reference/index.h"

#include <algorithm>
#include <cmath>

namespace cnnc::reference {

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// NaN when either operand is: no comparison with a NaN is true, so that a NaN in `a` stays.
double min_with_nan(double a, double b) { return b < a || std::isnan(b) ? b : a; }
double max_with_nan(double a, double b) { return b > a || std::isnan(b) ? b : a; }

double apply(const Unary &op, double x) {
  const auto &[p0, p1] = op.parameters;
  switch (op.kind) {
  case UnaryKind::relu:
    return x < 0 ? 0 : x;
  case UnaryKind::leaky_relu:
    return x < 0 ? p0 * x : x;
  case UnaryKind::sigmoid:
    return sigmoid(x);
  case UnaryKind::tanh:
    return std::tanh(x);
  case UnaryKind::clip:
    return min_with_nan(max_with_nan(x, p0), p1);
  case UnaryKind::hard_sigmoid:
    return min_with_nan(max_with_nan(p0 * x + p1, 0), 1);
  case UnaryKind::hard_swish:
    return x * min_with_nan(max_with_nan(x / 6 + 0.5, 0), 1);
  case UnaryKind::silu:
    return x / (1 + std::exp(-x));
  case UnaryKind::elu:
    return x < 0 ? p0 * std::expm1(x) : x;
  case UnaryKind::exp:
    return std::exp(x);
  case UnaryKind::sqrt:
    return std::sqrt(x);
  case UnaryKind::dropout:
    return x;
  }
  return x;
}

double apply(BinaryKind kind, double a, double b) {
  switch (kind) {
  case BinaryKind::add:
    return a + b;
  case BinaryKind::sub:
    return a - b;
  case BinaryKind::mul:
    return a * b;
  case BinaryKind::div:
    return a / b;
  case BinaryKind::min:
    return min_with_nan(a, b);
  case BinaryKind::max:
    return max_with_nan(a, b);
  case BinaryKind::prelu:
    return a < 0 ? a * b : a;
  }
  return a;
}

/// Strides with which an operand is read along the dimensions of the result: 0 where it is
/// repeated.
std::vector<int64_t> broadcast_strides(const std::vector<int64_t> &operand, size_t result_rank) {
  std::vector<int64_t> strides = row_major_strides(operand);
  for (size_t i = 0; i < operand.size(); ++i)
    if (operand[i] == 1)
      strides[i] = 0;
  strides.insert(strides.begin(), result_rank - operand.size(), 0);
  return strides;
}

/// Elements that follow each other in the result, and where their operands are.
struct Row {
  int64_t position, count;
  int64_t a, a_stride, b, b_stride;
};

/// Calls function(row) for rows as long as the strides allow, in the order of the result.
template <class Function>
void for_each_row(std::vector<int64_t> shape, std::vector<int64_t> a_strides,
                  std::vector<int64_t> b_strides, Function function) {
  Row row = {0, 1, 0, 0, 0, 0};
  // Dimensions whose steps continue those of the row for both operands become part of it.
  while (!shape.empty() && (row.count == 1 || (a_strides.back() == row.count * row.a_stride &&
                                               b_strides.back() == row.count * row.b_stride))) {
    if (row.count == 1) {
      row.a_stride = a_strides.back();
      row.b_stride = b_strides.back();
    }
    row.count *= shape.back();
    for (std::vector<int64_t> *list : {&shape, &a_strides, &b_strides})
      list->pop_back();
  }
  reference::for_each_index(shape, [&](const std::vector<int64_t> &index, int64_t position) {
    row.position = position * row.count;
    row.a = dot(index, a_strides);
    row.b = dot(index, b_strides);
    function(row);
  });
}

} // namespace

Tensors compute(const Unary &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::span<const float> input = operands[0]->floats();
  std::transform(input.begin(), input.end(), result.mutable_floats().begin(),
                 [&](float x) { return static_cast<float>(apply(op, x)); });
  return {result};
}

Tensors compute(const Binary &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  size_t rank = result.shape().size();
  std::vector<int64_t> a_strides = broadcast_strides(operands[0]->shape(), rank);
  std::vector<int64_t> b_strides = broadcast_strides(operands[1]->shape(), rank);
  std::span<const float> a = operands[0]->floats(), b = operands[1]->floats();
  std::span<float> output = result.mutable_floats();
  auto walk = [&](auto function) {
    for_each_row(result.shape(), a_strides, b_strides, [&](const Row &row) {
      for (int64_t i = 0; i < row.count; ++i)
        output[row.position + i] = static_cast<float>(
            function(double(a[row.a + i * row.a_stride]), double(b[row.b + i * row.b_stride])));
    });
  };
  // Filters are scaled with this when a batch norm is folded into them, and they are large.
  switch (op.kind) {
  case BinaryKind::mul:
    walk([](double x, double y) { return x * y; });
    break;
  default:
    walk([&](double x, double y) { return apply(op.kind, x, y); });
  }
  return {result};
}

} // namespace cnnc::reference
