#include "compiler/onnx/import_fold.h"

#include "compiler/reference/tensor.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

std::optional<bool> fold_node(OnnxNode &node, Fold fold) {
  if (!node.foldable())
    return std::nullopt;
  Folded folded = fold(node);
  if (folded.kind == Folded::Kind::declined)
    return std::nullopt;
  if (folded.kind == Folded::Kind::error)
    return false;
  for (size_t i = 0; i < folded.values.size(); ++i)
    if (!node.result(std::move(folded.values[i]), i))
      return false;
  return true;
}

FixedTensor picked(const FixedTensor &from, std::vector<int64_t> shape,
                   const std::vector<int64_t> &positions) {
  FixedTensor result{from.dtype, std::move(shape), {}};
  std::visit(
      [&](const auto &elements) {
        std::decay_t<decltype(elements)> list;
        list.reserve(positions.size());
        for (int64_t position : positions)
          list.push_back(elements[static_cast<size_t>(position)]);
        result.elements = std::move(list);
      },
      from.elements);
  return result;
}

std::vector<int64_t> strided_positions(const std::vector<int64_t> &shape,
                                       const std::vector<int64_t> &strides, int64_t base) {
  std::vector<int64_t> positions = {base};
  for (size_t i = 0; i < shape.size(); ++i) {
    std::vector<int64_t> next;
    next.reserve(positions.size() * static_cast<size_t>(shape[i]));
    for (int64_t position : positions)
      for (int64_t j = 0; j < shape[i]; ++j)
        next.push_back(position + j * strides[i]);
    positions = std::move(next);
  }
  return positions;
}

std::vector<int64_t> broadcast_positions(const std::vector<int64_t> &from,
                                         const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides = row_major_strides(from), broadcast(shape.size(), 0);
  size_t missing = shape.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    broadcast[missing + i] = from[i] == 1 ? 0 : strides[i];
  return strided_positions(shape, broadcast);
}

std::optional<int64_t> folded_count(OnnxNode &node, const std::vector<int64_t> &shape) {
  bool negative = std::any_of(shape.begin(), shape.end(), [](int64_t dim) { return dim < 0; });
  std::optional<int64_t> count = negative ? std::nullopt : element_count(shape);
  if (count && *count <= most_folded)
    return count;
  node.fail(fmt::format("the shape {} of a value that is computed at compile time is negative or "
                        "too large",
                        to_string(shape)));
  return std::nullopt;
}

} // namespace cnnc
