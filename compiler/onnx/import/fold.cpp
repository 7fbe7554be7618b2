#include "compiler/onnx/import/fold.h"

#include "compiler/tensor/tensor.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

std::optional<bool> fold_node(OnnxNode &node, const FoldRow &row) {
  if (!node.foldable())
    return std::nullopt;
  bool any = row.most_inputs == any_number;
  size_t least = any ? std::max(row.least_inputs, node.input_count()) : row.least_inputs;
  if (!node.require_inputs(least, row.most_inputs))
    return false;
  Folded folded = row.fold(node);
  if (folded.kind == Folded::Kind::declined)
    return std::nullopt;
  if (folded.kind == Folded::Kind::error)
    return false;
  for (size_t i = 0; i < folded.values.size(); ++i)
    if (!node.result(std::move(folded.values[i]), i))
      return false;
  return node.check_attributes();
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

std::optional<int64_t> folded_count(OnnxNode &node, const std::vector<int64_t> &shape,
                                    int64_t most) {
  bool possible =
      std::ranges::all_of(shape, [](int64_t dim) { return dim >= 0 && dim <= largest_dim; });
  std::optional<int64_t> count = possible ? element_count(shape) : std::nullopt;
  if (count && *count <= most)
    return count;
  node.fail(fmt::format("the shape [{}] of a value that is computed at compile time has a negative "
                        "dimension, or more than the {} elements allowed",
                        fmt::join(shape, ", "), most));
  return std::nullopt;
}

} // namespace cnnc
