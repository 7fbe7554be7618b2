// Losses by their definitions, in double.
#include "compiler/reference/compute.h"

#include <algorithm>
#include <cmath>

namespace cnnc::reference {

namespace {

Tensors mean_of(double sum, int64_t count, const Types &types) {
  Tensor result(types[0]);
  result.mutable_floats()[0] = static_cast<float>(sum / static_cast<double>(count));
  return {result};
}

/// Mean over the elements of two tensors of one shape.
template <class Function>
Tensors mean_over_pairs(const Operands &operands, const Types &types, Function function) {
  double sum = 0;
  for (int64_t i = 0; i < operands[0]->count(); ++i)
    sum += function(double(operands[0]->floats()[i]), double(operands[1]->floats()[i]));
  return mean_of(sum, operands[0]->count(), types);
}

} // namespace

Tensors compute(const CrossEntropy &op, const Operands &operands, const Types &types) {
  const int64_t images = operands[0]->shape()[0], classes = operands[0]->shape()[1];
  double sum = 0;
  for (int64_t i = 0; i < images; ++i) {
    std::span<const float> logits = operands[0]->floats().subspan(i * classes, classes);
    const double largest = *std::ranges::max_element(logits);
    double exponentials = 0;
    for (float x : logits)
      exponentials += std::exp(x - largest);
    for (int64_t j = 0; j < classes; ++j) {
      const bool label = operands[1]->elements<int64_t>()[i] == j;
      const double target =
          (label ? 1 - op.label_smoothing : 0) + op.label_smoothing / static_cast<double>(classes);
      // 0 times an infinite logarithm is nothing.
      if (target != 0)
        sum -= target * (logits[j] - largest - std::log(exponentials));
    }
  }
  return mean_of(sum, images, types);
}

Tensors compute(const MeanSquaredError &, const Operands &operands, const Types &types) {
  return mean_over_pairs(operands, types, [](double a, double b) { return (a - b) * (a - b); });
}

/// -t * log(s) - (1 - t) * log(1 - s), where log(s) = -log(1 + exp(-x)) and log(1 - s) = -log(1 +
/// exp(x)), which is x + log(1 + exp(-x)) without overflow.
Tensors compute(const BinaryCrossEntropy &, const Operands &operands, const Types &types) {
  auto softplus = [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); };
  return mean_over_pairs(operands, types, [&](double x, double t) {
    return t * softplus(-x) + (1 - t) * softplus(x);
  });
}

} // namespace cnnc::reference
