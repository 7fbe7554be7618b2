// Tensors whose elements are repeated or chosen: Expand, Tile, ConstantOfShape, Where.
#include "compiler/onnx/import/fold.h"
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/tensor/tensor.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

/// The shape that Expand is given; the batch may be in it as symbolic_dim.
std::optional<std::vector<int64_t>> read_expanded_shape(OnnxNode &node) {
  std::optional<std::vector<int64_t>> shape = node.known_shape(1, "the shape");
  if (!shape)
    return std::nullopt;
  for (int64_t &dim : *shape)
    if (dim == batch_marker) {
      dim = symbolic_dim;
    } else if (dim < 0 || dim > largest_dim) {
      node.fail(fmt::format("the dimension {} of the shape is not in 0..{}", dim, largest_dim));
      return std::nullopt;
    }
  return shape;
}

bool import_expand(OnnxNode &node) {
  if (!node.require_inputs(2, 2))
    return false;
  std::optional<std::vector<int64_t>> wanted = read_expanded_shape(node);
  if (!wanted)
    return false;
  std::optional<std::vector<int64_t>> shape = broadcast(node.shape(0), *wanted);
  if (!shape)
    return node.fail(
        fmt::format("{} does not broadcast to {}", to_string(node.type(0)), to_string(*wanted)));
  if (*shape == node.shape(0))
    return node.pass_through(0);
  int64_t most = node.type(0).dtype == DType::f32 ? 64 : most_folded; // integers may be indices
  if (node.foldable() && !shape->empty() && (*shape)[0] != symbolic_dim &&
      element_count(*shape).value_or(most + 1) <= most)
    return node.result(picked(*node.fixed(0), *shape, broadcast_positions(node.shape(0), *shape)));
  if (!shape->empty() && (*shape)[0] == symbolic_dim && !node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("it repeats a value for each image of a symbolic batch: {}",
                                 node.importer().advice_to_fix_batch()));
  std::replace(shape->begin(), shape->end(), symbolic_dim, int64_t(1));
  return node.result(node.emit("expand", {node.operand(0)}, {{"shape", *shape}}));
}

/// One number per dimension; before opset 6 one number, and the axis for it, as floats then.
std::optional<std::vector<int64_t>> read_repeats(OnnxNode &node) {
  if (node.opset() >= 6)
    return node.known_integers(1, "the repeats");
  std::optional<std::vector<double>> repeat = node.known_numbers(1, "the repeats");
  std::optional<std::vector<double>> axis =
      repeat ? node.known_numbers(2, "the axis") : std::nullopt;
  if (!axis)
    return std::nullopt;
  if (repeat->size() != 1 || axis->size() != 1) {
    node.fail("before opset 6 it has one repeat and one axis");
    return std::nullopt;
  }
  std::optional<size_t> dim = read_axis(node, static_cast<int64_t>(axis->front()), node.rank(0));
  if (!dim)
    return std::nullopt;
  std::vector<int64_t> repeats(node.rank(0), 1);
  repeats[*dim] = static_cast<int64_t>(repeat->front());
  return repeats;
}

/// Each dimension repeated as a whole: a dimension of 1 in front of each, expanded, joined again.
bool import_tile(OnnxNode &node) {
  size_t inputs = node.opset() < 6 ? 3 : 2;
  if (!node.require_inputs(inputs, inputs))
    return false;
  std::optional<std::vector<int64_t>> repeats = read_repeats(node);
  if (!repeats)
    return false;
  const std::vector<int64_t> shape = node.shape(0);
  if (repeats->size() != shape.size())
    return node.fail(
        fmt::format("{} repeats do not fit {}", repeats->size(), to_string(node.type(0))));
  std::vector<int64_t> split, expanded, tiled;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t repeat = (*repeats)[i];
    if (repeat < 1 || repeat > largest_dim)
      return node.fail(fmt::format("a dimension cannot be repeated {} times", repeat));
    if (repeat != 1 && shape[i] == symbolic_dim)
      return node.fail(
          fmt::format("it repeats the symbolic batch: {}", node.importer().advice_to_fix_batch()));
    std::optional<int64_t> size =
        shape[i] == symbolic_dim ? symbolic_dim : checked_mul(shape[i], repeat);
    if (!size)
      return node.fail("its size overflows");
    if (repeat != 1) {
      split.push_back(1);
      expanded.push_back(repeat);
    }
    split.push_back(shape[i]);
    expanded.push_back(shape[i] == symbolic_dim ? 1 : shape[i]);
    tiled.push_back(*size);
  }
  if (tiled == shape)
    return node.pass_through(0);
  ValueId result = reshaped(node, node.operand(0), split);
  result = node.emit("expand", {result}, {{"shape", expanded}});
  return node.result(reshaped(node, result, tiled));
}

bool import_constant_of_shape(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::optional<std::vector<int64_t>> shape = node.known_integers(0, "the shape");
  if (!shape)
    return false;
  FixedTensor value{DType::f32, {1}, std::vector<float>{0}};
  if (const onnx::TensorProto *tensor = node.tensor("value")) {
    OnnxValue read = node.importer().constant(*tensor, node.range());
    if (read.failed)
      return false;
    const FixedTensor *fixed = node.importer().fixed(read, 1);
    if (!fixed || fixed->count() != 1)
      return node.fail("'value' must have one element");
    value = *fixed;
  }
  // Many floats are one constant of the graph, whatever their number.
  constexpr int64_t most_listed = 8, most_floats = int64_t(1) << 48;
  std::optional<int64_t> count =
      folded_count(node, *shape, value.is_float() ? most_floats : most_folded);
  if (!count)
    return false;
  if (value.is_float() && *count > most_listed)
    return node.result(node.splat(shortest_double(value.floats()[0]), *shape));
  return node.result(picked(value, *shape, std::vector<int64_t>(static_cast<size_t>(*count), 0)));
}

/// Known elements of either operand; those of the batch may be among them.
bool fold_where(OnnxNode &node) {
  std::optional<std::vector<int64_t>> shape = broadcast(node.shape(0), node.shape(1));
  shape = shape ? broadcast(*shape, node.shape(2)) : std::nullopt;
  if (!shape || node.type(1).dtype != node.type(2).dtype)
    return node.fail(fmt::format("{}, {} and {} do not fit each other", to_string(node.type(0)),
                                 to_string(node.type(1)), to_string(node.type(2))));
  if (!folded_count(node, *shape))
    return false;
  auto spread = [&](size_t input) {
    return picked(*node.fixed(input), *shape, broadcast_positions(node.shape(input), *shape));
  };
  FixedTensor condition = spread(0), a = spread(1), result = spread(2);
  for (size_t i = 0; i < condition.count(); ++i) {
    if (condition.ints()[i] == 0)
      continue;
    if (result.is_float())
      result.floats()[i] = a.floats()[i];
    else
      result.ints()[i] = a.ints()[i];
  }
  return node.result(std::move(result));
}

bool import_where(OnnxNode &node) {
  if (!node.require_inputs(3, 3))
    return false;
  if (node.type(0).dtype != DType::boolean)
    return node.fail(
        fmt::format("the condition must be of type bool, but is {}", to_string(node.type(0))));
  if (node.foldable())
    return fold_where(node);
  ValueId a = node.operand(1), b = node.operand(2);
  DType dtype = node.type(1).dtype;
  ValueId chosen = node.emit("where", {node.operand(0), node.as_floats(a), node.as_floats(b)});
  return node.result(node.converted(chosen, dtype));
}

constexpr ImportRow rows[] = {{"Expand", import_expand},
                              {"Tile", import_tile},
                              {"ConstantOfShape", import_constant_of_shape},
                              {"Where", import_where}};

} // namespace

std::span<const ImportRow> broadcast_imports() { return rows; }

} // namespace cnnc
