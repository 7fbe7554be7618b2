#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace cnnc::reference {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Combines all elements that differ only along the axes, from `start` on, and finishes what comes
/// of `terms` of them.
template <class Combine, class Finish>
Tensors reduce(const std::vector<int64_t> &axes, const Tensor &input, const Types &types,
               double start, Combine combine, Finish finish) {
  std::vector<int64_t> kept_shape = input.shape();
  for (int64_t axis : axes)
    kept_shape[*normalized_axis(axis, kept_shape.size())] = 1;
  // Strides of the results along the input's dimensions: 0 along those that are reduced.
  std::vector<int64_t> strides = row_major_strides(kept_shape);
  for (size_t i = 0; i < strides.size(); ++i)
    if (kept_shape[i] == 1)
      strides[i] = 0;
  Tensor result(types[0]);
  std::vector<double> values(static_cast<size_t>(result.count()), start);
  for_each_index(input.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    double &value = values[static_cast<size_t>(dot(index, strides))];
    value = combine(value, double(input.floats()[position]));
  });
  double terms = static_cast<double>(input.count()) / static_cast<double>(result.count());
  std::transform(values.begin(), values.end(), result.mutable_floats().begin(),
                 [&](double value) { return static_cast<float>(finish(value, terms)); });
  return {result};
}

double add(double a, double b) { return a + b; }
double multiply(double a, double b) { return a * b; }
// Passes over NaN.
double larger(double a, double b) { return b > a ? b : a; }
double smaller(double a, double b) { return b < a ? b : a; }
double as_it_is(double value, double) { return value; }

/// The elements of a line along an axis: where the first stands and how far they are apart.
struct Lines {
  int64_t size, stride;
  int64_t first(int64_t line) const { return line / stride * size * stride + line % stride; }
};

Lines lines_along(const std::vector<int64_t> &shape, size_t axis) {
  return {shape[axis], row_major_strides(shape)[axis]};
}

/// `worst`: what is not better than any element.
template <class Better>
Tensors arg_extreme(int64_t along, bool select_last, const Tensor &input, const Types &types,
                    float worst, Better better) {
  Tensor result(types[0]); // zeros
  std::span<int64_t> output = result.mutable_elements<int64_t>();
  Lines lines = lines_along(input.shape(), *normalized_axis(along, input.shape().size()));
  for (int64_t line = 0; line < result.count(); ++line) {
    float best = worst;
    for (int64_t i = 0; i < lines.size; ++i) {
      float element = input.floats()[lines.first(line) + i * lines.stride];
      if (better(element, best) || (select_last && element == best)) {
        best = element;
        output[line] = i;
      }
    }
  }
  return {result};
}

} // namespace

Tensors compute(const ReduceMean &op, const Operands &operands, const Types &types) {
  return reduce(op.axes, *operands[0], types, 0, add, std::divides<double>());
}

Tensors compute(const ReduceSum &op, const Operands &operands, const Types &types) {
  return reduce(op.axes, *operands[0], types, 0, add, as_it_is);
}

Tensors compute(const ReduceMax &op, const Operands &operands, const Types &types) {
  return reduce(op.axes, *operands[0], types, -infinity, larger, as_it_is);
}

Tensors compute(const ReduceMin &op, const Operands &operands, const Types &types) {
  return reduce(op.axes, *operands[0], types, infinity, smaller, as_it_is);
}

Tensors compute(const ReduceProd &op, const Operands &operands, const Types &types) {
  return reduce(op.axes, *operands[0], types, 1, multiply, as_it_is);
}

Tensors compute(const ArgMax &op, const Operands &operands, const Types &types) {
  return arg_extreme(op.axis, op.select_last, *operands[0], types, -infinity,
                     std::greater<float>());
}

Tensors compute(const ArgMin &op, const Operands &operands, const Types &types) {
  return arg_extreme(op.axis, op.select_last, *operands[0], types, infinity, std::less<float>());
}

Tensors compute(const TopK &op, const Operands &operands, const Types &types) {
  const Tensor &input = *operands[0];
  Tensor values(types[0]), indices(types[1]);
  size_t axis = *normalized_axis(op.axis, input.shape().size());
  Lines from = lines_along(input.shape(), axis), to = lines_along(values.shape(), axis);
  std::vector<int64_t> order; // of the elements that are no NaN
  for (int64_t line = 0; line < values.count() / op.k; ++line) {
    auto at = [&](int64_t i) { return input.floats()[from.first(line) + i * from.stride]; };
    order.clear();
    for (int64_t i = 0; i < from.size; ++i)
      if (!std::isnan(at(i)))
        order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return op.largest ? at(a) > at(b) : at(a) < at(b);
    });
    for (int64_t i = 0; i < op.k; ++i) {
      const int64_t place = to.first(line) + i * to.stride;
      const bool found = i < static_cast<int64_t>(order.size());
      const int64_t index = found ? order[static_cast<size_t>(i)] : 0;
      values.mutable_floats()[place] =
          found ? at(index) : static_cast<float>(op.largest ? -infinity : infinity);
      indices.mutable_elements<int64_t>()[place] = index;
    }
  }
  return {values, indices};
}

} // namespace cnnc::reference
