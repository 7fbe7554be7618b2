#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"

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

/// A softmax or its logarithm: for every line along the axis `finish(x, largest, sum)`, where sum
/// is that of exp(x - largest).
template <class Finish>
Tensors along_lines(int64_t along, const Tensor &operand, const Types &types, Finish finish) {
  Tensor result(types[0]);
  const std::vector<int64_t> &shape = result.shape();
  size_t axis = *normalized_axis(along, shape.size());
  int64_t size = shape[axis], stride = product(std::span(shape).subspan(axis + 1));
  std::span<const float> input = operand.floats();
  std::span<float> output = result.mutable_floats();
  for (int64_t line = 0; line < result.count() / size; ++line) {
    int64_t first = line / stride * size * stride + line % stride;
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < size; ++i)
      largest = std::max<double>(largest, input[first + i * stride]);
    for (int64_t i = 0; i < size; ++i)
      sum += std::exp(input[first + i * stride] - largest);
    for (int64_t i = 0; i < size; ++i)
      output[first + i * stride] =
          static_cast<float>(finish(double(input[first + i * stride]), largest, sum));
  }
  return {result};
}

/// Brings blocks of `size` neighbouring elements to mean 0 and variance 1. `finish(y, position)` is
/// what becomes of element `position`.
template <class Finish>
Tensors standardized(const Tensor &operand, const Types &types, int64_t size, double epsilon,
                     Finish finish) {
  Tensor result(types[0]);
  std::span<const float> input = operand.floats();
  std::span<float> output = result.mutable_floats();
  for (int64_t first = 0; first < result.count(); first += size) {
    double sum = 0, squares = 0;
    for (int64_t i = first; i < first + size; ++i)
      sum += input[i];
    double mean = sum / static_cast<double>(size);
    for (int64_t i = first; i < first + size; ++i)
      squares += (input[i] - mean) * (input[i] - mean);
    double deviation = std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (int64_t i = first; i < first + size; ++i)
      output[i] = static_cast<float>(finish((input[i] - mean) / deviation, i));
  }
  return {result};
}

/// scale[c] * y + bias[c], where operands have these, for the channel c of an element.
auto per_channel(const Operands &operands) {
  const std::vector<int64_t> &shape = operands[0]->shape();
  int64_t channels = shape[1], inner = product(std::span(shape).subspan(2));
  return [=, &operands](double y, int64_t position) {
    int64_t c = position / inner % channels;
    if (operands.size() > 1)
      y *= operands[1]->floats()[c];
    return operands.size() > 2 ? y + operands[2]->floats()[c] : y;
  };
}

} // namespace

namespace {

/// The normalised input and the running statistics, channel by channel.
Tensors with_statistics_of_batch(const BatchNorm &op, const Operands &operands,
                                 const Types &types) {
  Tensors results = {Tensor(types[0]), Tensor(types[1]), Tensor(types[2])};
  std::span<const float> input = operands[0]->floats();
  const int64_t channels = types[0].shape[1], count = operands[0]->count() / channels;
  const int64_t inner = product(std::span(types[0].shape).subspan(2));
  for (int64_t c = 0; c < channels; ++c) {
    auto each = [&](auto visit) {
      for (int64_t i = 0; i < operands[0]->count(); ++i)
        if (i / inner % channels == c)
          visit(i);
    };
    double mean = 0, squares = 0;
    each([&](int64_t i) { mean += input[i]; });
    mean /= static_cast<double>(count);
    each([&](int64_t i) { squares += (input[i] - mean) * (input[i] - mean); });
    const double deviation = std::sqrt(squares / static_cast<double>(count) + op.epsilon);
    const double scale = operands[1]->floats()[c], bias = operands[2]->floats()[c];
    std::span<float> output = results[0].mutable_floats();
    each([&](int64_t i) {
      output[i] = static_cast<float>((input[i] - mean) / deviation * scale + bias);
    });
    auto moved = [&](float running, double now) {
      return static_cast<float>(op.momentum * running + (1 - op.momentum) * now);
    };
    results[1].mutable_floats()[c] = moved(operands[3]->floats()[c], mean);
    results[2].mutable_floats()[c] =
        moved(operands[4]->floats()[c], squares / static_cast<double>(count - 1));
  }
  return results;
}

} // namespace

Tensors compute(const BatchNorm &op, const Operands &operands, const Types &types) {
  if (op.statistics == Statistics::batch)
    return with_statistics_of_batch(op, operands, types);
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
  return along_lines(op.axis, *operands[0], types, [](double x, double largest, double sum) {
    return std::exp(x - largest) / sum;
  });
}

Tensors compute(const LogSoftmax &op, const Operands &operands, const Types &types) {
  return along_lines(op.axis, *operands[0], types, [](double x, double largest, double sum) {
    return x - largest - std::log(sum);
  });
}

Tensors compute(const Hardmax &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const std::vector<int64_t> &shape = result.shape();
  size_t axis = *normalized_axis(op.axis, shape.size());
  int64_t size = shape[axis], stride = product(std::span(shape).subspan(axis + 1));
  std::span<const float> input = operands[0]->floats();
  for (int64_t line = 0; line < result.count() / size; ++line) {
    int64_t first = line / stride * size * stride + line % stride;
    std::optional<int64_t> best;
    for (int64_t at = first; at < first + size * stride; at += stride)
      if (!std::isnan(input[at]) && (!best || input[at] > input[*best]))
        best = at;
    if (best)
      result.mutable_floats()[*best] = 1;
  }
  return {result};
}

Tensors compute(const LayerNorm &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &shape = types[0].shape;
  size_t axis = *normalized_axis(op.axis, shape.size());
  const std::vector<int64_t> dims(shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end());
  // Where element i of the normalized dimensions finds its scale and bias.
  std::vector<std::vector<int64_t>> places(operands.size());
  for (size_t operand = 1; operand < operands.size(); ++operand) {
    std::vector<int64_t> strides = broadcast_strides(operands[operand]->shape(), dims.size());
    for_each_index(dims, [&](const std::vector<int64_t> &index, int64_t) {
      places[operand].push_back(dot(index, strides));
    });
  }
  const int64_t size = product(dims);
  auto factor = [&](size_t operand, int64_t position) {
    return double(
        operands[operand]
            ->floats()[static_cast<size_t>(places[operand][static_cast<size_t>(position % size)])]);
  };
  return standardized(*operands[0], types, size, op.epsilon, [&](double y, int64_t position) {
    if (operands.size() > 1)
      y *= factor(1, position);
    return operands.size() > 2 ? y + factor(2, position) : y;
  });
}

Tensors compute(const InstanceNorm &op, const Operands &operands, const Types &types) {
  int64_t size = product(std::span(types[0].shape).subspan(2));
  return standardized(*operands[0], types, size, op.epsilon, per_channel(operands));
}

Tensors compute(const GroupNorm &op, const Operands &operands, const Types &types) {
  int64_t size = product(std::span(types[0].shape).subspan(1)) / op.groups;
  return standardized(*operands[0], types, size, op.epsilon, per_channel(operands));
}

Tensors compute(const Lrn &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  int64_t channels = result.shape()[1], inner = product(std::span(result.shape()).subspan(2));
  std::span<const float> input = operands[0]->floats();
  std::span<float> output = result.mutable_floats();
  for (int64_t i = 0; i < result.count(); ++i) {
    int64_t c = i / inner % channels;
    int64_t first = std::max<int64_t>(0, c - (op.size - 1) / 2);
    int64_t last = std::min(channels - 1, c + op.size / 2);
    double squares = 0;
    for (int64_t other = first; other <= last; ++other) {
      double x = input[i + (other - c) * inner];
      squares += x * x;
    }
    double base = op.bias + op.alpha / static_cast<double>(op.size) * squares;
    output[i] = static_cast<float>(input[i] / std::pow(base, op.beta));
  }
  return {result};
}

} // namespace cnnc::reference
