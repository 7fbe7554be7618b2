// Ops that choose by position: Trilu, EyeLike, OneHot. A comparison of positions, which are
// constants, with each other or with the input says which elements, and `where` takes them: nothing
// is multiplied by zeros.
#include "compiler/onnx/import/fold.h"
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// 0, 1, 2 ... along one dimension of a shape whose others are 1.
ValueId positions(OnnxNode &node, int64_t count, std::vector<int64_t> shape, int64_t first = 0) {
  FixedTensor fixed{DType::f32, std::move(shape), std::vector<float>()};
  for (int64_t i = 0; i < count; ++i)
    fixed.floats().push_back(static_cast<float>(first + i));
  return node.constant(fixed);
}

/// `where` on any type: its branches are f32 in the graph.
ValueId chosen(OnnxNode &node, ValueId condition, ValueId a, ValueId b, DType dtype) {
  ValueId result = node.emit("where", {condition, node.as_floats(a), node.as_floats(b)});
  return node.converted(result, dtype);
}

/// The triangle of each matrix on or above (below) diagonal k; zeros elsewhere.
bool import_trilu(OnnxNode &node) {
  if (!node.require_inputs(1, 2))
    return false;
  const bool upper = node.integer("upper", 1) != 0;
  std::vector<int64_t> k = {0};
  if (node.has(1)) {
    std::optional<std::vector<int64_t>> given = node.known_integers(1, "the diagonal k");
    if (!given || given->size() != 1)
      return given && node.fail("the diagonal k must be one number");
    k = *given;
  }
  const std::vector<int64_t> &shape = node.shape(0);
  const size_t rank = shape.size();
  if (rank < 2 || shape[rank - 2] == symbolic_dim)
    return node.fail(fmt::format("its input is {}, but must be matrices of known size",
                                 to_string(node.type(0))));
  const int64_t rows = shape[rank - 2], columns = shape[rank - 1];
  // Row i has its diagonal element in column i + k; farther than the matrix is as far as its edge.
  const int64_t diagonal = std::clamp(k[0], -rows, columns);
  ValueId row = positions(node, rows, {rows, 1}, diagonal);
  ValueId column = positions(node, columns, {columns});
  ValueId kept = node.emit(upper ? "greater_or_equal" : "less_or_equal", {column, row});
  return node.result(chosen(node, kept, node.operand(0), node.splat(0), node.type(0).dtype));
}

/// Ones on diagonal k of a matrix of the input's shape.
bool import_eye_like(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !node.require_rank(0, 2, "a matrix"))
    return false;
  std::optional<DType> dtype = node.type(0).dtype;
  if (node.has_attribute("dtype") && !(dtype = read_type(node, "dtype")))
    return false;
  const int64_t k = node.integer("k", 0);
  const std::vector<int64_t> shape = node.shape(0);
  if (node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("its size depends on the size of the batch: {}",
                                 node.importer().advice_to_fix_batch()));
  std::optional<int64_t> count = folded_count(node, shape);
  if (!count)
    return false;
  std::vector<int64_t> ones(static_cast<size_t>(*count), 0);
  for (int64_t row = 0; row < shape[0]; ++row)
    if (k >= -row && k < shape[1] - row)
      ones[static_cast<size_t>(row * shape[1] + row + k)] = 1;
  FixedTensor result{*dtype, shape, {}};
  if (*dtype == DType::f32)
    result.elements = std::vector<float>(ones.begin(), ones.end());
  else
    result.elements = std::move(ones);
  return node.result(std::move(result));
}

/// For each index `depth` elements: the second of two values at the index, the first elsewhere.
/// Indices below 0 count from the end; others outside hit none.
bool import_one_hot(OnnxNode &node) {
  if (!node.require_inputs(3, 3))
    return false;
  std::optional<std::vector<double>> given = node.known_numbers(1, "the depth");
  if (!given)
    return false;
  constexpr double largest_depth = 1 << 24; // positions are exact in f32
  if (given->size() != 1 || !((*given)[0] >= 1 && (*given)[0] <= largest_depth))
    return node.fail(fmt::format("the depth must be one number in 1..{}", largest_depth));
  const auto depth = static_cast<int64_t>((*given)[0]);
  if (node.shape(2) != std::vector<int64_t>{2})
    return node.fail(
        fmt::format("its values are {}, but must be two: off and on", to_string(node.type(2))));
  const size_t rank = node.rank(0);
  std::optional<size_t> axis = read_axis(node, node.integer("axis", -1), rank + 1);
  if (!axis)
    return false;
  ValueId indices = node.operand(0);
  if (node.type(0).dtype == DType::f32)
    indices = node.converted(indices, DType::i64); // towards zero
  indices = node.as_floats(indices);
  ValueId below = node.emit("less", {indices, node.splat(0)});
  ValueId from_end = node.emit("add", {indices, node.splat(static_cast<double>(depth))});
  indices = node.emit("where", {below, from_end, indices});
  std::vector<int64_t> shape = node.shape(0), along(rank + 1, 1);
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(*axis), 1);
  along[*axis] = depth;
  ValueId hit = node.emit("equal", {reshaped(node, indices, shape), positions(node, depth, along)});
  auto value = [&](int64_t index) {
    return node.emit("slice", {node.operand(2)},
                     {{"starts", std::vector<int64_t>{index}},
                      {"ends", std::vector<int64_t>{index + 1}},
                      {"axes", std::vector<int64_t>{0}}});
  };
  ValueId off = value(0), on = value(1);
  return node.result(chosen(node, hit, on, off, node.type(2).dtype));
}

constexpr ImportRow rows[] = {
    {"Trilu", import_trilu}, {"EyeLike", import_eye_like}, {"OneHot", import_one_hot}};

} // namespace

std::span<const ImportRow> mask_imports() { return rows; }

} // namespace cnnc
