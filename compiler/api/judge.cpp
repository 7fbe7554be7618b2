#include "compiler/api/judge.h"

#include "compiler/tensor/element.h"
#include "compiler/tensor/narrow.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace cnnc {

namespace {

/// An element of a tensor of any type as a number.
double element(const Tensor &tensor, int64_t index) {
  return with_element(tensor.type().dtype, [&](auto zero) {
    return static_cast<double>(tensor.elements<decltype(zero)>()[static_cast<size_t>(index)]);
  });
}

double largest_magnitude(const Tensor &tensor) {
  double largest = 0;
  for (int64_t i = 0; i < tensor.count(); ++i)
    if (const double value = std::abs(element(tensor, i)); std::isfinite(value))
      largest = std::max(largest, value);
  return largest;
}

Tensor magnitudes_of(const Tensor &tensor) {
  if (is_narrow(tensor.type().dtype))
    return magnitudes_of(widened(tensor));
  if (tensor.type().dtype != DType::f32)
    return tensor;
  Tensor result(tensor.type());
  std::ranges::transform(tensor.floats(), result.mutable_floats().begin(),
                         [](float value) { return std::abs(value); });
  return result;
}

/// Whether the op adds up products of its operands, or elements of the only one: then it gives the
/// sum of magnitudes when it gets those.
bool adds_up(const Op &op) {
  return match(
      op,
      [](const OfCategory<Category::convolution, Category::transposed_convolution,
                          Category::matrix_product> auto &) { return true; },
      []<ReduceKind kind>(const Reduce<kind> &) {
        return kind == ReduceKind::sum || kind == ReduceKind::mean;
      },
      [](const OneOf<AvgPool2d, GlobalAvgPool2d> auto &) { return true; },
      [](const OneOf<MaxPool2d> auto &) { return false; },
      []<bool largest>(const ArgExtreme<largest> &) { return false; },
      [](const OneOf<TopK> auto &) { return false; },
      [](const OfCategory<Category::constant, Category::max_position, Category::elementwise,
                          Category::normalization, Category::movement, Category::view,
                          Category::resize, Category::loss, Category::internal> auto &) {
        return false;
      },
      [](const OneOf<Conv2dFilterGradient, MaxPool2dGradient, ScatterAdd, Resize2dGradient> auto
             &) { return true; },
      [](const RandomUniform &) { return false; });
}

bool adds_two(const Op &op) {
  const auto *binary = std::get_if<Binary>(&op);
  return binary && (binary->row->name == "add" || binary->row->name == "sub");
}

} // namespace

VerifiedValue compare(std::string kernel, std::string value, const Tensor &computed,
                      const Tensor &reference, double tolerance) {
  VerifiedValue result{std::move(kernel), std::move(value)};
  result.largest = largest_magnitude(reference);
  for (int64_t i = 0; i < reference.count(); ++i) {
    const double wanted = element(reference, i), got = element(computed, i);
    if (wanted == got || (std::isnan(wanted) && std::isnan(got)))
      continue;
    const double error = std::abs(wanted - got);
    result.error = std::max(result.error, std::isnan(error) ? INFINITY : error);
  }
  result.wrong = result.error > tolerance * result.largest;
  return result;
}

double largest_sum_of_magnitudes(const Graph &graph, const std::vector<const Node *> &nodes,
                                 const ValueProvider &provider) {
  Diagnostics ignored;
  std::map<ValueId, Tensor> known;
  double largest = 0;
  for (const Node *node : nodes) {
    std::vector<Tensor> operands, magnitudes;
    for (ValueId id : node->operands) {
      auto found = known.find(id);
      std::optional<Tensor> tensor =
          found == known.end() ? provider(id, ignored) : std::optional(found->second);
      if (!tensor)
        return 0;
      magnitudes.push_back(magnitudes_of(*tensor));
      operands.push_back(std::move(*tensor));
    }
    auto compute = [&](const std::vector<Tensor> &tensors) {
      std::vector<const Tensor *> pointers;
      for (const Tensor &tensor : tensors)
        pointers.push_back(&tensor);
      std::vector<TensorType> types;
      for (ValueId id : node->results) {
        types.push_back(graph.type(id));
        if (types.back().has_symbolic_batch())
          types.back().shape[0] = 1;
      }
      return evaluate(node->op, pointers, types, ignored);
    };
    if (adds_two(node->op))
      largest = std::max(largest, largest_magnitude(operands[0]) + largest_magnitude(operands[1]));
    if (adds_up(node->op))
      if (const auto sums = compute(magnitudes))
        largest = std::max(largest, largest_magnitude(sums->front()));
    std::optional<std::vector<Tensor>> results = compute(operands);
    if (!results)
      return 0;
    for (size_t i = 0; i < node->results.size(); ++i)
      known.insert_or_assign(node->results[i], std::move((*results)[i]));
  }
  return largest;
}

void allow_rounding(VerifiedValue &value, double tolerance, double magnitudes) {
  // The default tolerance is many times what a sum in parts rounds, or Winograd's method. Where terms
  // do not cancel, this adds little to it: 4608 products of random signs are 43 times their sum.
  constexpr double part = 0.02;
  value.wrong = value.error > tolerance * (value.largest + part * magnitudes);
}

Difference difference(const std::vector<double> &actual, const std::vector<double> &expected,
                      double tolerance) {
  Difference result;
  for (double value : expected)
    if (std::isfinite(value))
      result.largest = std::max(result.largest, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i) {
    double a = actual[i], e = expected[i];
    if (a == e || (std::isnan(a) && std::isnan(e)))
      continue;
    double error = std::abs(a - e);
    double allowed = tolerance * std::max(1.0, result.largest) + 5 * tolerance * std::abs(e);
    bool right = error <= allowed && std::isfinite(e);
    if (!right && result.wrong++ == 0)
      result.first = i;
    result.error = std::max(result.error, std::isnan(error) ? INFINITY : error);
  }
  return result;
}

} // namespace cnnc
