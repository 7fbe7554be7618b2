#include "compiler/reference/compute.h"
#include "compiler/reference/index.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cnnc::reference {

namespace {

int64_t product(std::span<const int64_t> dims) {
  int64_t result = 1;
  for (int64_t dim : dims)
    result *= dim;
  return result;
}

} // namespace

Tensors compute(const BatchNorm &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::span<const float> input = operands[0]->floats(), scale = operands[1]->floats();
  std::span<const float> bias = operands[2]->floats(), mean = operands[3]->floats();
  std::span<const float> variance = operands[4]->floats();
  std::span<float> output = result.mutable_floats();
  int64_t channels = result.shape()[1];
  int64_t inner = product(std::span(result.shape()).subspan(2));
  for (int64_t i = 0; i < result.count(); ++i) {
    int64_t c = i / inner % channels;
    double deviation = std::sqrt(static_cast<double>(variance[c]) + op.epsilon);
    output[i] = static_cast<float>(static_cast<double>(scale[c]) *
                                       (static_cast<double>(input[i]) - mean[c]) / deviation +
                                   bias[c]);
  }
  return {result};
}

Tensors compute(const Softmax &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const std::vector<int64_t> &shape = result.shape();
  size_t axis = *normalized_axis(op.axis, shape.size());
  int64_t size = shape[axis], stride = product(std::span(shape).subspan(axis + 1));
  std::span<const float> input = operands[0]->floats();
  std::span<float> output = result.mutable_floats();
  std::vector<double> exponentials(static_cast<size_t>(size));
  for (int64_t line = 0; line < result.count() / size; ++line) {
    int64_t first = line / stride * size * stride + line % stride;
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < size; ++i)
      largest = std::max<double>(largest, input[first + i * stride]);
    for (int64_t i = 0; i < size; ++i)
      sum += exponentials[i] = std::exp(input[first + i * stride] - largest);
    for (int64_t i = 0; i < size; ++i)
      output[first + i * stride] = static_cast<float>(exponentials[i] / sum);
  }
  return {result};
}

Tensors compute(const ReduceMean &op, const Operands &operands, const Types &types) {
  const Tensor &input = *operands[0];
  std::vector<int64_t> kept_shape = input.shape();
  for (int64_t axis : op.axes)
    kept_shape[*normalized_axis(axis, kept_shape.size())] = 1;
  // Strides of the sums along the input's dimensions: 0 along those that are summed up.
  std::vector<int64_t> strides = row_major_strides(kept_shape);
  for (size_t i = 0; i < strides.size(); ++i)
    if (kept_shape[i] == 1)
      strides[i] = 0;
  Tensor result(types[0]);
  std::vector<double> sums(static_cast<size_t>(result.count()), 0.0);
  for_each_index(input.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    sums[dot(index, strides)] += input.floats()[position];
  });
  double terms = static_cast<double>(input.count()) / static_cast<double>(result.count());
  std::transform(sums.begin(), sums.end(), result.mutable_floats().begin(),
                 [&](double sum) { return static_cast<float>(sum / terms); });
  return {result};
}

} // namespace cnnc::reference
