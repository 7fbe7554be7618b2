#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"

#include <algorithm>
#include <cmath>
#include <numbers>

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
  case UnaryKind::abs:
    return std::abs(x);
  case UnaryKind::neg:
    return -x;
  case UnaryKind::floor:
    return std::floor(x);
  case UnaryKind::ceil:
    return std::ceil(x);
  case UnaryKind::round:
    return std::nearbyint(x);
  case UnaryKind::sign:
    return x < 0 ? -1 : x > 0 ? 1 : x;
  case UnaryKind::log:
    return std::log(x);
  case UnaryKind::erf:
    return std::erf(x);
  case UnaryKind::reciprocal:
    return 1 / x;
  case UnaryKind::softplus:
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  case UnaryKind::softsign:
    return x / (1 + std::abs(x));
  case UnaryKind::selu:
    return x < 0 ? p1 * p0 * std::expm1(x) : p1 * x;
  case UnaryKind::celu:
    return x < 0 ? p0 * std::expm1(x / p0) : x;
  case UnaryKind::gelu:
    return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
  case UnaryKind::gelu_tanh:
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  case UnaryKind::mish:
    return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
  case UnaryKind::thresholded_relu:
    return x > p0 ? x : 0;
  case UnaryKind::logical_not:
    return x == 0;
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
  case BinaryKind::pow:
    return std::pow(a, b);
  case BinaryKind::equal:
    return a == b;
  case BinaryKind::less:
    return a < b;
  case BinaryKind::less_or_equal:
    return a <= b;
  case BinaryKind::greater:
    return a > b;
  case BinaryKind::greater_or_equal:
    return a >= b;
  case BinaryKind::logical_and:
    return a != 0 && b != 0;
  case BinaryKind::logical_or:
    return a != 0 || b != 0;
  case BinaryKind::logical_xor:
    return (a != 0) != (b != 0);
  }
  return a;
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
  if (row_of(op.kind).dtype == DType::boolean) {
    std::span<const uint8_t> flags = operands[0]->elements<uint8_t>();
    std::transform(flags.begin(), flags.end(), result.mutable_elements<uint8_t>().begin(),
                   [&](uint8_t x) { return static_cast<uint8_t>(apply(op, x)); });
    return {result};
  }
  std::span<const float> input = operands[0]->floats();
  std::transform(input.begin(), input.end(), result.mutable_floats().begin(),
                 [&](float x) { return static_cast<float>(apply(op, x)); });
  return {result};
}

namespace {

/// result[i] = function(a[i], b[i]) for elements of A, and results of R.
template <class A, class R, class Function>
void walk(Tensor &result, const Operands &operands, Function function) {
  size_t rank = result.shape().size();
  std::vector<int64_t> a_strides = broadcast_strides(operands[0]->shape(), rank);
  std::vector<int64_t> b_strides = broadcast_strides(operands[1]->shape(), rank);
  std::span<const A> a = operands[0]->elements<A>(), b = operands[1]->elements<A>();
  std::span<R> output = result.mutable_elements<R>();
  for_each_row(result.shape(), a_strides, b_strides, [&](const Row &row) {
    for (int64_t i = 0; i < row.count; ++i)
      output[row.position + i] = static_cast<R>(
          function(double(a[row.a + i * row.a_stride]), double(b[row.b + i * row.b_stride])));
  });
}

} // namespace

Tensors compute(const Binary &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const BinaryRow &row = row_of(op.kind);
  auto function = [&](double x, double y) { return apply(op.kind, x, y); };
  if (row.operands == DType::boolean)
    walk<uint8_t, uint8_t>(result, operands, function);
  else if (row.result == DType::boolean)
    walk<float, uint8_t>(result, operands, function);
  else if (op.kind == BinaryKind::mul) // folded batch norms scale filters with it, which are large
    walk<float, float>(result, operands, [](double x, double y) { return x * y; });
  else
    walk<float, float>(result, operands, function);
  return {result};
}

Tensors compute(const Where &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::vector<std::vector<int64_t>> strides;
  for (const Tensor *operand : operands)
    strides.push_back(broadcast_strides(operand->shape(), result.shape().size()));
  std::span<float> output = result.mutable_floats();
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    bool condition = operands[0]->elements<uint8_t>()[dot(index, strides[0])] != 0;
    size_t taken = condition ? 1 : 2;
    output[position] = operands[taken]->floats()[dot(index, strides[taken])];
  });
  return {result};
}

} // namespace cnnc::reference
