#include "compiler/reference/evaluate.h"
#include "compiler/reference/compute.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Ops with a function compute() in compute.h.
template <class T>
concept Computed = requires(const T &op) {
  reference::compute(op, {}, {});
};

bool is_subnormal(float x) { return std::fpclassify(x) == FP_SUBNORMAL; }

/// Where a number below the smallest normal one decides something, or is divided by: there it must
/// count as 0, as when a compiled model runs. Sums do not change by it, and what only moves
/// elements leaves them alone.
bool weighs_subnormals(const Op &op) {
  switch (category_of(op)) {
  case Category::pool:
  case Category::max_position:
  case Category::elementwise:
  case Category::normalization:
  case Category::reduction:
  case Category::loss:
    return true;
  case Category::constant:
  case Category::convolution:
  case Category::transposed_convolution:
  case Category::matrix_product:
  case Category::movement:
  case Category::view:
  case Category::resize:
  case Category::training:
  case Category::internal:
    return false;
  }
  return false;
}

/// The tensor with zeros for subnormal numbers.
Tensor without_subnormals(const Tensor &tensor) {
  if (tensor.type().dtype != DType::f32 || std::ranges::none_of(tensor.floats(), is_subnormal))
    return tensor;
  Tensor result(tensor.type());
  std::ranges::transform(tensor.floats(), result.mutable_floats().begin(),
                         [](float x) { return is_subnormal(x) ? std::copysign(0.0F, x) : x; });
  return result;
}

} // namespace

std::optional<std::vector<Tensor>> evaluate(const Op &op,
                                            const std::vector<const Tensor *> &operands,
                                            const std::vector<TensorType> &result_types,
                                            Diagnostics &diagnostics) {
  using Result = std::optional<std::vector<Tensor>>;
  std::vector<Tensor> normal;
  std::vector<const Tensor *> seen = operands;
  if (weighs_subnormals(op)) {
    for (const Tensor *operand : operands)
      normal.push_back(without_subnormals(*operand));
    std::ranges::transform(normal, seen.begin(), [](const Tensor &tensor) { return &tensor; });
  }
  auto without_value = [&](std::string_view why) -> Result {
    diagnostics.error(
        fmt::format("'{}' can't be computed by the reference: {}", info_of(op).name, why));
    return std::nullopt;
  };
  return match(
      op, [&](const Weight &) { return without_value("its value is in a file"); },
      [&](const Call &) { return without_value("its kernel is in the loops text"); },
      [&](const Computed auto &concrete) -> Result {
        return reference::compute(concrete, seen, result_types);
      });
}

} // namespace cnnc
