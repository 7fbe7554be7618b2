#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

/// What dequantises a constant. Its elements are moved as integers, so that products find them
/// dequantised right before them, as lower_quantized wants it.
std::optional<Node> dequantized_constant(OnnxNode &node, ValueId value) {
  const Graph &graph = node.importer().graph();
  const Node *producer =
      graph.is_constant(value) ? &graph.nodes[graph.value(value).producer] : nullptr;
  return producer && std::holds_alternative<Dequantize>(producer->op) ? std::optional(*producer)
                                                                      : std::nullopt;
}

/// The axis of several scales; empty when one is for all elements.
std::optional<size_t> axis_of(OnnxNode &node, const Node &dequantize) {
  const size_t rank = node.type_of(dequantize.results[0]).rank();
  return dequantize.operands.size() > 1
             ? normalized_axis(std::get<Dequantize>(dequantize.op).axis, rank)
             : std::nullopt;
}

/// Integers as floats, like those of `dequantize`; its scales, if there are several, for `axis`.
ValueId dequantized(OnnxNode &node, ValueId integers, const Node &dequantize, size_t axis) {
  const auto &op = std::get<Dequantize>(dequantize.op);
  std::vector<ValueId> operands = dequantize.operands;
  operands[0] = integers;
  if (operands.size() > 1)
    return node.emit("dequantize", operands, {{"axis", static_cast<int64_t>(axis)}});
  return node.emit("dequantize", operands, {{"scale", op.scale}, {"zero_point", op.zero_point}});
}

} // namespace

ValueId reshaped(OnnxNode &node, ValueId value, std::vector<int64_t> shape) {
  if (value == no_id || node.type_of(value).shape == shape)
    return value;
  // In the text, 0 keeps a dimension; without elements there is nothing to keep.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return node.splat(0, std::move(shape), node.type_of(value).dtype);
  if (std::optional<Node> dequantize = dequantized_constant(node, value)) {
    const size_t axis = axis_of(node, *dequantize).value_or(0);
    const std::vector<int64_t> &from = node.type_of(value).shape;
    const bool keeps_axis = axis == 0 && !shape.empty() && !from.empty() && shape[0] == from[0];
    if (dequantize->operands.size() == 1 || keeps_axis)
      return dequantized(node, reshaped(node, dequantize->operands[0], std::move(shape)),
                         *dequantize, axis);
  }
  std::replace(shape.begin(), shape.end(), symbolic_dim, int64_t(0));
  return node.emit("reshape", {value}, {{"shape", shape}});
}

ValueId transposed(OnnxNode &node, ValueId value, std::vector<int64_t> permutation) {
  if (value == no_id || std::is_sorted(permutation.begin(), permutation.end()))
    return value;
  if (std::optional<Node> dequantize = dequantized_constant(node, value)) {
    const auto axis = static_cast<int64_t>(axis_of(node, *dequantize).value_or(0));
    const auto moved =
        static_cast<size_t>(std::ranges::find(permutation, axis) - permutation.begin());
    return dequantized(node, transposed(node, dequantize->operands[0], std::move(permutation)),
                       *dequantize, moved);
  }
  return node.emit("transpose", {value}, {{"permutation", permutation}});
}

ValueId cut_off(OnnxNode &node, ValueId value, const std::vector<int64_t> &before,
                const std::vector<int64_t> &after) {
  if (value == no_id)
    return no_id;
  const TensorType type = node.type_of(value);
  std::vector<int64_t> starts, ends, axes;
  for (size_t i = 0; i < type.rank(); ++i) {
    int64_t first = std::max<int64_t>(0, before[i]), last = std::max<int64_t>(0, after[i]);
    if (first == 0 && last == 0)
      continue;
    bool fits = type.shape[i] != symbolic_dim && first < type.shape[i] - last;
    if (!fits) {
      node.fail(fmt::format("it cuts {} and {} elements off dimension {} of {}, which leaves none",
                            first, last, i, to_string(type)));
      return no_id;
    }
    starts.push_back(first);
    ends.push_back(type.shape[i] - last);
    axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.empty())
    return value;
  return node.emit("slice", {value}, {{"starts", starts}, {"ends", ends}, {"axes", axes}});
}

std::optional<size_t> read_axis(OnnxNode &node, int64_t axis, size_t rank) {
  auto dims = static_cast<int64_t>(rank);
  if (axis >= -dims && axis < dims)
    return static_cast<size_t>(axis < 0 ? axis + dims : axis);
  node.fail(fmt::format("the axis {} is not one of the {} dimensions", axis, rank));
  return std::nullopt;
}

std::optional<std::vector<int64_t>> read_axes(OnnxNode &node, const std::vector<int64_t> &axes,
                                              size_t rank) {
  std::vector<int64_t> result;
  for (int64_t axis : axes) {
    std::optional<size_t> read = read_axis(node, axis, rank);
    if (!read)
      return std::nullopt;
    result.push_back(static_cast<int64_t>(*read));
  }
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) == result.end())
    return result;
  node.fail("an axis is given twice");
  return std::nullopt;
}

std::optional<int64_t> product(OnnxNode &node, const std::vector<int64_t> &shape, size_t first,
                               size_t last) {
  if (first == 0 && last > 0 && shape[0] == symbolic_dim) {
    if (last == 1)
      return symbolic_dim;
    node.fail(fmt::format("it would join the symbolic batch with other dimensions: {}",
                          node.importer().advice_to_fix_batch()));
    return std::nullopt;
  }
  std::vector<int64_t> part(shape.begin() + static_cast<ptrdiff_t>(first),
                            shape.begin() + static_cast<ptrdiff_t>(last));
  std::optional<int64_t> count = element_count(part);
  if (!count)
    node.fail("its size overflows");
  return count;
}

} // namespace cnnc
