// Parts of tensors, and tensors made of parts: Slice, Split, Concat, Gather.
#include "compiler/onnx/import/fold.h"
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/tensor/tensor.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

namespace {

/// Ends at or beyond this stand for "to the end"; more would not fit the text's numbers.
constexpr int64_t far_away = largest_dim;

/// starts, ends, axes and steps: attributes until opset 9, then inputs. Empty after a report.
std::optional<Slice> read_slice(OnnxNode &node) {
  Slice slice;
  bool attributes = node.opset() < 10;
  auto read = [&](size_t input, std::string_view name, std::vector<int64_t> &to) {
    if (attributes ? !node.has_attribute(name) : !node.has(input))
      return true;
    std::optional<std::vector<int64_t>> list =
        attributes ? node.integers(name) : node.known_integers(input, name);
    to = list.value_or(std::vector<int64_t>());
    return list.has_value();
  };
  if (!read(1, "starts", slice.starts) || !read(2, "ends", slice.ends) ||
      !read(3, "axes", slice.axes) || (!attributes && !read(4, "steps", slice.steps)))
    return std::nullopt;
  if (attributes && !(node.has_attribute("starts") && node.has_attribute("ends"))) {
    node.fail("it needs 'starts' and 'ends'");
    return std::nullopt;
  }
  size_t count = slice.starts.size(), rank = node.rank(0);
  if (slice.axes.empty()) {
    slice.axes.resize(std::min(count, rank));
    std::iota(slice.axes.begin(), slice.axes.end(), int64_t(0));
  }
  if (slice.steps.empty())
    slice.steps.assign(count, 1);
  if (slice.ends.size() != count || slice.axes.size() != count || slice.steps.size() != count) {
    node.fail("starts, ends, axes and steps must have as many elements");
    return std::nullopt;
  }
  for (int64_t &axis : slice.axes) {
    std::optional<size_t> counted = read_axis(node, axis, rank);
    if (!counted)
      return std::nullopt;
    axis = static_cast<int64_t>(*counted);
  }
  for (std::vector<int64_t> *list : {&slice.starts, &slice.ends, &slice.steps})
    for (int64_t &number : *list)
      number = std::clamp(number, -far_away, far_away);
  if (std::ranges::find(slice.steps, 0) == slice.steps.end())
    return slice;
  node.fail("a step is 0");
  return std::nullopt;
}

/// Leaves out what takes a whole dimension, so that the batch may be among the axes.
Slice without_whole_axes(const Slice &slice, const std::vector<int64_t> &shape) {
  Slice result;
  for (size_t i = 0; i < slice.axes.size(); ++i) {
    int64_t dim = shape[static_cast<size_t>(slice.axes[i])];
    bool to_end = dim == symbolic_dim ? slice.ends[i] >= far_away : slice.ends[i] >= dim;
    if (slice.starts[i] == 0 && to_end && slice.steps[i] == 1)
      continue;
    result.starts.push_back(slice.starts[i]);
    result.ends.push_back(slice.ends[i]);
    result.axes.push_back(slice.axes[i]);
    result.steps.push_back(slice.steps[i]);
  }
  return result;
}

bool import_slice(OnnxNode &node) {
  if (!node.require_inputs(node.opset() < 10 ? 1 : 3, node.opset() < 10 ? 1 : 5))
    return false;
  std::optional<Slice> read = read_slice(node);
  if (!read)
    return false;
  Slice slice = without_whole_axes(*read, node.shape(0));
  if (slice.axes.empty())
    return node.pass_through(0);
  if (node.foldable()) {
    std::vector<int64_t> strides = row_major_strides(node.shape(0)), shape;
    std::vector<Slice::Range> ranges = slice.ranges(node.shape(0));
    int64_t base = 0;
    for (size_t i = 0; i < ranges.size(); ++i) {
      base += ranges[i].start * strides[i];
      strides[i] *= ranges[i].step;
      shape.push_back(ranges[i].count);
    }
    return node.result(picked(*node.fixed(0), shape, strided_positions(shape, strides, base)));
  }
  Attributes attributes = {{"starts", slice.starts}, {"ends", slice.ends}, {"axes", slice.axes}};
  if (std::ranges::count(slice.steps, 1) != static_cast<ptrdiff_t>(slice.steps.size()))
    attributes.emplace_back("steps", slice.steps);
  return node.result(node.emit("slice", {node.operand(0)}, attributes));
}

/// Sizes as an attribute until opset 12, then as an input; else equal parts, the last one smaller.
std::optional<std::vector<int64_t>> read_sizes(OnnxNode &node, int64_t dim) {
  if (node.opset() >= 13 && node.has(1))
    return node.known_integers(1, "the sizes");
  if (node.opset() < 13 && node.has_attribute("split"))
    return node.integers("split");
  auto count = static_cast<int64_t>(node.output_count());
  if (node.opset() >= 18)
    count = node.integer("num_outputs", count);
  if (count != static_cast<int64_t>(node.output_count()) || dim == symbolic_dim ||
      (node.opset() < 18 && dim % count != 0)) {
    node.fail(fmt::format("a dimension of {} cannot be split into {} equal parts",
                          dim == symbolic_dim ? "symbolic size" : std::to_string(dim), count));
    return std::nullopt;
  }
  int64_t part = (dim + count - 1) / count;
  std::vector<int64_t> sizes(static_cast<size_t>(count), part);
  sizes.back() = dim - part * (count - 1);
  return sizes;
}

bool import_split(OnnxNode &node) {
  if (!node.require_inputs(1, 2))
    return false;
  std::optional<size_t> axis = read_axis(node, node.integer("axis", 0), node.rank(0));
  if (!axis)
    return false;
  int64_t dim = node.shape(0)[*axis];
  std::optional<std::vector<int64_t>> sizes = read_sizes(node, dim);
  if (!sizes)
    return false;
  int64_t total = 0;
  bool fits = sizes->size() == node.output_count();
  for (int64_t size : *sizes)
    fits = fits && size >= 0 && !__builtin_add_overflow(total, size, &total);
  if (!fits || total != dim)
    return node.fail(fmt::format("its {} outputs of sizes {} do not make up a dimension of {}",
                                 node.output_count(), to_string(*sizes), dim));
  if (sizes->size() == 1)
    return node.pass_through(0);
  if (!node.foldable()) {
    std::vector<ValueId> parts = node.emit_several(
        "split", {node.operand(0)}, {{"axis", static_cast<int64_t>(*axis)}, {"sizes", *sizes}});
    for (size_t i = 0; i < parts.size(); ++i)
      if (!node.result(parts[i], i))
        return false;
    return !parts.empty();
  }
  std::vector<int64_t> strides = row_major_strides(node.shape(0)), shape = node.shape(0);
  int64_t start = 0;
  for (size_t i = 0; i < sizes->size(); start += (*sizes)[i++]) {
    shape[*axis] = (*sizes)[i];
    if (!node.result(picked(*node.fixed(0), shape,
                            strided_positions(shape, strides, start * strides[*axis])),
                     i))
      return false;
  }
  return true;
}

/// The shape of what fold_concat joins; empty after a report.
std::optional<std::vector<int64_t>> joined_shape(OnnxNode &node, size_t axis) {
  std::vector<int64_t> result = node.shape(0);
  result[axis] = 0;
  for (size_t i = 0; i < node.input_count(); ++i) {
    std::vector<int64_t> expected = node.shape(0);
    expected[axis] = node.rank(i) == expected.size() ? node.shape(i)[axis] : -1;
    if (node.shape(i) != expected || node.type(i).dtype != node.type(0).dtype) {
      node.fail(fmt::format("{} and {} cannot be joined along axis {}", to_string(node.type(0)),
                            to_string(node.type(i)), axis));
      return std::nullopt;
    }
    result[axis] += expected[axis];
  }
  return folded_count(node, result) ? std::optional(result) : std::nullopt;
}

/// Known numbers behind each other.
bool fold_concat(OnnxNode &node, size_t axis) {
  std::optional<std::vector<int64_t>> shape = joined_shape(node, axis);
  if (!shape)
    return false;
  std::vector<int64_t> outer(shape->begin(), shape->begin() + static_cast<ptrdiff_t>(axis));
  int64_t blocks = element_count(outer).value_or(0);
  FixedTensor result{node.type(0).dtype, *shape, node.fixed(0)->elements};
  std::visit(
      [&](auto &list) {
        using List = std::decay_t<decltype(list)>;
        list.clear();
        for (int64_t block = 0; block < blocks; ++block)
          for (size_t i = 0; i < node.input_count(); ++i) {
            const List &part = std::get<List>(node.fixed(i)->elements);
            auto length = static_cast<ptrdiff_t>(part.size()) / blocks;
            list.insert(list.end(), part.begin() + block * length,
                        part.begin() + (block + 1) * length);
          }
      },
      result.elements);
  return node.result(std::move(result));
}

bool import_concat(OnnxNode &node) {
  size_t count = node.input_count();
  if (!node.require_inputs(std::max<size_t>(1, count), count))
    return false;
  if (node.opset() >= 4 && !node.has_attribute("axis"))
    return node.fail("it has no 'axis'");
  std::optional<size_t> axis = read_axis(node, node.integer("axis", 1), node.rank(0));
  if (!axis)
    return false;
  if (count == 1)
    return node.pass_through(0);
  if (node.foldable())
    return fold_concat(node, *axis);
  std::vector<ValueId> operands;
  for (size_t i = 0; i < count; ++i)
    if (element_count(node.shape(i)) != 0) // what is empty adds nothing
      operands.push_back(node.operand(i));
  if (operands.empty()) // so is the result
    for (size_t i = 0; i < count; ++i)
      operands.push_back(node.operand(i));
  if (operands.size() == 1)
    return node.result(operands[0]);
  return node.result(node.emit("concat", operands, {{"axis", static_cast<int64_t>(*axis)}}));
}

bool fold_gather(OnnxNode &node, size_t axis) {
  const std::vector<int64_t> &shape = node.shape(0);
  std::vector<int64_t> outer(shape.begin(), shape.begin() + static_cast<ptrdiff_t>(axis)),
      inner(shape.begin() + static_cast<ptrdiff_t>(axis) + 1, shape.end()), result = outer;
  result.insert(result.end(), node.shape(1).begin(), node.shape(1).end());
  result.insert(result.end(), inner.begin(), inner.end());
  if (!folded_count(node, result))
    return false;
  int64_t blocks = element_count(outer).value_or(0), size = element_count(inner).value_or(0);
  int64_t dim = shape[axis];
  std::vector<int64_t> positions;
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t index : node.fixed(1)->ints()) {
      if (index < -dim || index >= dim)
        return node.fail(fmt::format("the index {} is outside of a dimension of {}",
                                     index == batch_marker ? "of the batch" : std::to_string(index),
                                     dim));
      int64_t start = (block * dim + (index < 0 ? index + dim : index)) * size;
      for (int64_t i = 0; i < size; ++i)
        positions.push_back(start + i);
    }
  return node.result(picked(*node.fixed(0), result, positions));
}

bool import_gather(OnnxNode &node) {
  if (!node.require_inputs(2, 2))
    return false;
  std::optional<size_t> axis = read_axis(node, node.integer("axis", 0), node.rank(0));
  if (!axis)
    return false;
  if (node.type(1).dtype != DType::i64 && node.type(1).dtype != DType::i32)
    return node.fail(
        fmt::format("the indices must be integers, but are {}", to_string(node.type(1))));
  if (node.shape(0)[*axis] == symbolic_dim)
    return node.fail(fmt::format("it chooses images of the symbolic batch: {}",
                                 node.importer().advice_to_fix_batch()));
  if (node.foldable())
    return fold_gather(node, *axis);
  return node.result(node.emit("gather", {node.operand(0), node.operand(1)},
                               {{"axis", static_cast<int64_t>(*axis)}}));
}

constexpr ImportRow rows[] = {{"Slice", import_slice},
                              {"Split", import_split},
                              {"Concat", import_concat},
                              {"Gather", import_gather}};

} // namespace

std::span<const ImportRow> slice_imports() { return rows; }

} // namespace cnnc
