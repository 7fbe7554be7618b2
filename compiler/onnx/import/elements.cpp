// Elements chosen and written one by one: GatherElements, GatherND, ScatterElements, ScatterND.
// Where indices are known, assignments to a part of a tensor (`x[:, 1:3] = y`, which exporters
// write as ScatterND) become slices that are joined. NonZero where all is known.
#include "compiler/onnx/import/fold.h"
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/tensor/tensor.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

using Shape = std::vector<int64_t>;

/// Positions are computed in f32 at run time, which is exact up to this.
constexpr int64_t most_positions = int64_t(1) << 24;

/// What these ops need of their inputs.
bool check_inputs(OnnxNode &node, size_t count) {
  if (!node.require_inputs(count, count))
    return false;
  for (size_t i = 0; i < count; ++i)
    if (node.type(i).has_symbolic_batch())
      return node.fail(fmt::format("its indices count through the whole batch, which must be "
                                   "known: {}",
                                   node.importer().advice_to_fix_batch()));
  if (node.type(1).dtype != DType::i64 && node.type(1).dtype != DType::i32)
    return node.fail(
        fmt::format("the indices must be integers, but are {}", to_string(node.type(1))));
  return element_count(node.shape(0)).value_or(most_positions + 1) <= most_positions ||
         node.fail(fmt::format("{} has too many elements for indices at run time",
                               to_string(node.type(0))));
}

ValueId flat(OnnxNode &node, ValueId value) {
  return value == no_id ? no_id
                        : reshaped(node, value, {*element_count(node.type_of(value).shape)});
}

/// A known index, in [0, dim); empty after a report.
std::optional<int64_t> counted(OnnxNode &node, int64_t index, int64_t dim) {
  if (index >= -dim && index < dim)
    return index < 0 ? index + dim : index;
  node.fail(fmt::format("the index {} is outside of a dimension of {}", index, dim));
  return std::nullopt;
}

/// The same at run time: those below 0 count from the end.
ValueId counted(OnnxNode &node, ValueId indices, ValueId dim) {
  ValueId shifted = node.emit("add", {indices, dim});
  return node.emit("where", {node.emit("less", {indices, node.splat(0)}), shifted, indices});
}

/// The position of each element in the whole tensor, if the index counted along `axis` from 0.
Shape positions_without(OnnxNode &node, size_t axis) {
  Shape strides = row_major_strides(node.shape(0));
  strides[axis] = 0;
  return strided_positions(node.shape(1), strides);
}

/// Known indices of GatherElements and ScatterElements as positions in the whole tensor.
std::optional<Shape> element_positions(OnnxNode &node, size_t axis) {
  const std::vector<int64_t> &indices = node.fixed(1)->ints();
  Shape positions = positions_without(node, axis);
  int64_t dim = node.shape(0)[axis], stride = row_major_strides(node.shape(0))[axis];
  for (size_t i = 0; i < positions.size(); ++i) {
    std::optional<int64_t> index = counted(node, indices[i], dim);
    if (!index)
      return std::nullopt;
    positions[i] += *index * stride;
  }
  return positions;
}

/// The axis of GatherElements and ScatterElements; the indices have the rank of the tensor, and
/// elsewhere are no larger.
std::optional<size_t> element_axis(OnnxNode &node) {
  std::optional<size_t> axis = read_axis(node, node.integer("axis", 0), node.rank(0));
  bool fits = axis && node.rank(0) == node.rank(1);
  for (size_t i = 0; fits && i < node.rank(0); ++i)
    fits = i == *axis || node.shape(1)[i] <= node.shape(0)[i];
  if (axis && !fits)
    node.fail(fmt::format("the indices {} do not fit {}", to_string(node.type(1)),
                          to_string(node.type(0))));
  return fits ? axis : std::nullopt;
}

/// The indices along the axis when they are the same for all other dimensions, which are whole:
/// an ordinary gather. Empty when not.
std::optional<FixedTensor> common_indices(OnnxNode &node, size_t axis) {
  Shape others = node.shape(0);
  others[axis] = node.shape(1)[axis];
  if (node.shape(1) != others || element_count(others) == 0)
    return std::nullopt;
  const std::vector<int64_t> &indices = node.fixed(1)->ints();
  Shape strides(others.size(), 0);
  strides[axis] = row_major_strides(others)[axis];
  Shape sources = strided_positions(others, strides);
  for (size_t i = 0; i < sources.size(); ++i)
    if (indices[i] != indices[static_cast<size_t>(sources[i])])
      return std::nullopt;
  return picked(*node.fixed(1), {others[axis]}, strided_positions({others[axis]}, {strides[axis]}));
}

bool import_gather_elements(OnnxNode &node) {
  if (!check_inputs(node, 2))
    return false;
  std::optional<size_t> axis = element_axis(node);
  if (!axis)
    return false;
  const Shape shape = node.shape(1);
  if (!folded_count(node, shape))
    return false;
  if (!node.fixed(1)) {
    Shape base = positions_without(node, *axis);
    auto stride = static_cast<double>(row_major_strides(node.shape(0))[*axis]);
    ValueId dim = node.splat(static_cast<double>(node.shape(0)[*axis]));
    ValueId index = counted(node, node.as_floats(node.operand(1)), dim);
    ValueId start = node.as_floats(node.constant({DType::i64, shape, std::move(base)}));
    ValueId position = node.emit("add", {node.emit("mul", {index, node.splat(stride)}), start});
    return node.result(
        node.emit("gather", {flat(node, node.operand(0)), node.converted(position, DType::i64)}));
  }
  std::optional<Shape> positions = element_positions(node, *axis);
  if (!positions)
    return false;
  if (node.foldable())
    return node.result(picked(*node.fixed(0), shape, *positions));
  if (std::optional<FixedTensor> common = common_indices(node, *axis))
    return node.result(node.emit("gather", {node.operand(0), node.constant(*common)},
                                 {{"axis", static_cast<int64_t>(*axis)}}));
  ValueId indices = node.constant({DType::i64, shape, std::move(*positions)});
  return node.result(node.emit("gather", {flat(node, node.operand(0)), indices}));
}

/// How GatherND and ScatterND read indices: the last dimension of the indices chooses a slice.
struct Slices {
  Shape outer, inner; // the dimensions that are chosen from, and those of a slice
  Shape strides;      // of `outer`, in slices
};

std::optional<Slices> read_slices(OnnxNode &node) {
  size_t depth = node.rank(1) == 0 ? 0 : static_cast<size_t>(node.shape(1).back());
  if (depth < 1 || depth > node.rank(0)) {
    node.fail(fmt::format("the indices {} do not fit {}", to_string(node.type(1)),
                          to_string(node.type(0))));
    return std::nullopt;
  }
  auto middle = node.shape(0).begin() + static_cast<ptrdiff_t>(depth);
  Slices slices = {{node.shape(0).begin(), middle}, {middle, node.shape(0).end()}, {}};
  slices.strides = row_major_strides(slices.outer);
  return slices;
}

/// The number of each chosen slice; empty after a report.
std::optional<Shape> slice_numbers(OnnxNode &node, const Slices &slices) {
  const std::vector<int64_t> &indices = node.fixed(1)->ints();
  size_t depth = slices.outer.size();
  Shape numbers(indices.size() / depth, 0);
  for (size_t i = 0; i < indices.size(); ++i) {
    std::optional<int64_t> index = counted(node, indices[i], slices.outer[i % depth]);
    if (!index)
      return std::nullopt;
    numbers[i / depth] += *index * slices.strides[i % depth];
  }
  return numbers;
}

bool import_gather_nd(OnnxNode &node) {
  if (!check_inputs(node, 2))
    return false;
  if (node.integer("batch_dims", 0) != 0)
    return node.fail("'batch_dims' is not supported; GatherElements is");
  std::optional<Slices> slices = read_slices(node);
  if (!slices)
    return false;
  auto depth = static_cast<int64_t>(slices->outer.size());
  Shape chosen(node.shape(1).begin(), node.shape(1).end() - 1), rows = slices->inner;
  rows.insert(rows.begin(), *element_count(slices->outer));
  ValueId numbers;
  if (node.fixed(1)) {
    std::optional<Shape> known = slice_numbers(node, *slices);
    if (!known)
      return false;
    numbers = node.constant({DType::i64, chosen, std::move(*known)});
  } else {
    ValueId dims = node.as_floats(node.constant({DType::i64, {depth}, slices->outer}));
    ValueId strides = node.as_floats(node.constant({DType::i64, {depth}, slices->strides}));
    ValueId index = counted(node, node.as_floats(node.operand(1)), dims);
    numbers = node.converted(node.emit("reduce_sum", {node.emit("mul", {index, strides})},
                                       {{"axes", Shape{-1}}, {"keep_dims", false}}),
                             DType::i64);
  }
  return node.result(node.emit("gather", {reshaped(node, node.operand(0), rows), numbers}));
}

/// The box that these positions are, row by row: where it begins, and its shape. Empty when they
/// are none.
std::optional<std::pair<Shape, Shape>> box_of(const Shape &positions, const Shape &shape) {
  Shape strides = row_major_strides(shape), start, box;
  for (size_t i = 0; i < shape.size(); ++i) {
    start.push_back(positions.front() / strides[i] % shape[i]);
    box.push_back(positions.back() / strides[i] % shape[i] - start[i] + 1);
    if (box.back() < 1)
      return std::nullopt;
  }
  if (element_count(box) != static_cast<int64_t>(positions.size()) ||
      strided_positions(box, strides, positions.front()) != positions)
    return std::nullopt;
  return std::pair(start, box);
}

/// The tensor with a box of it replaced: from the last dimension on, what lies before and behind
/// the part that there is already.
ValueId with_box(OnnxNode &node, ValueId updates, const Shape &start, const Shape &box) {
  const Shape shape = node.shape(0);
  ValueId part = reshaped(node, updates, box);
  for (size_t axis = shape.size(); axis-- > 0;) {
    auto piece = [&](int64_t from, int64_t to) {
      Shape starts(start.begin(), start.begin() + static_cast<ptrdiff_t>(axis)), ends, axes;
      starts.push_back(from);
      for (size_t i = 0; i <= axis; ++i) {
        ends.push_back(i == axis ? to : start[i] + box[i]);
        axes.push_back(static_cast<int64_t>(i));
      }
      return node.emit("slice", {node.operand(0)},
                       {{"starts", starts}, {"ends", ends}, {"axes", axes}});
    };
    std::vector<ValueId> parts;
    if (start[axis] > 0)
      parts.push_back(piece(0, start[axis]));
    parts.push_back(part);
    if (start[axis] + box[axis] < shape[axis])
      parts.push_back(piece(start[axis] + box[axis], shape[axis]));
    if (parts.size() > 1)
      part = node.emit("concat", parts, {{"axis", static_cast<int64_t>(axis)}});
  }
  return part;
}

/// The tensor with the elements at these positions replaced.
bool write_elements(OnnxNode &node, const Shape &positions) {
  if (positions.empty())
    return node.pass_through(0);
  const Shape shape = node.shape(0);
  auto count = static_cast<size_t>(*element_count(shape));
  Shape sources(count); // in the tensor and, behind it, the updates
  std::iota(sources.begin(), sources.end(), int64_t(0));
  for (size_t i = 0; i < positions.size(); ++i)
    sources[static_cast<size_t>(positions[i])] = static_cast<int64_t>(count + i);
  if (node.foldable()) {
    FixedTensor all = *node.fixed(0);
    if (all.is_float())
      std::ranges::copy(node.fixed(2)->floats(), std::back_inserter(all.floats()));
    else
      std::ranges::copy(node.fixed(2)->ints(), std::back_inserter(all.ints()));
    return node.result(picked(all, shape, sources));
  }
  if (auto box = box_of(positions, shape))
    return node.result(with_box(node, node.operand(2), box->first, box->second));
  ValueId all = node.emit("concat", {flat(node, node.operand(0)), flat(node, node.operand(2))},
                          {{"axis", int64_t(0)}});
  return node.result(
      node.emit("gather", {all, node.constant({DType::i64, shape, std::move(sources)})}));
}

bool check_scatter(OnnxNode &node, const Shape &updates) {
  std::string reduction = node.word("reduction", "none");
  if (reduction != "none")
    return node.fail(
        fmt::format("the reduction '{}' is not supported, only none", printable(reduction)));
  if (node.type(0).dtype != node.type(2).dtype || node.shape(2) != updates)
    return node.fail(fmt::format("the updates {} must be {}", to_string(node.type(2)),
                                 to_string(TensorType{node.type(0).dtype, updates, "", {}})));
  return true;
}

bool import_scatter_elements(OnnxNode &node) {
  if (!check_inputs(node, 3) || !check_scatter(node, node.shape(1)))
    return false;
  std::optional<size_t> axis = element_axis(node);
  if (!axis || !node.known(1, "the indices"))
    return false;
  std::optional<Shape> positions = element_positions(node, *axis);
  return positions && write_elements(node, *positions);
}

bool import_scatter_nd(OnnxNode &node) {
  if (!check_inputs(node, 3))
    return false;
  std::optional<Slices> slices = read_slices(node);
  if (!slices)
    return false;
  Shape updates(node.shape(1).begin(), node.shape(1).end() - 1);
  updates.insert(updates.end(), slices->inner.begin(), slices->inner.end());
  if (!check_scatter(node, updates) || !node.known(1, "the indices") ||
      !folded_count(node, updates))
    return false;
  std::optional<Shape> numbers = slice_numbers(node, *slices);
  if (!numbers)
    return false;
  int64_t size = *element_count(slices->inner);
  Shape positions;
  for (int64_t number : *numbers)
    for (int64_t i = 0; i < size; ++i)
      positions.push_back(number * size + i);
  return write_elements(node, positions);
}

/// Where known elements are not 0: one row of indices per dimension. Exporters before opset 11
/// write arange with it.
bool import_non_zero(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  if (!node.foldable())
    return node.fail("how many elements it gives depends on the model's inputs: end the model "
                     "before it and do this step in the program that calls it");
  const FixedTensor &input = *node.fixed(0);
  Shape strides = row_major_strides(input.shape), places;
  for (size_t i = 0; i < input.count(); ++i)
    if (input.number(i) != 0)
      places.push_back(static_cast<int64_t>(i));
  FixedTensor result{
      DType::i64,
      {static_cast<int64_t>(input.shape.size()), static_cast<int64_t>(places.size())},
      Shape()};
  for (size_t dim = 0; dim < input.shape.size(); ++dim)
    for (int64_t place : places)
      result.ints().push_back(place / strides[dim] % input.shape[dim]);
  return node.result(std::move(result));
}

constexpr ImportRow rows[] = {{"GatherElements", import_gather_elements},
                              {"GatherND", import_gather_nd},
                              {"ScatterElements", import_scatter_elements},
                              {"Scatter", import_scatter_elements},
                              {"ScatterND", import_scatter_nd},
                              {"NonZero", import_non_zero}};

} // namespace

std::span<const ImportRow> element_imports() { return rows; }

} // namespace cnnc
