// Reductions over axes, arg_max and the like, and top_k.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

namespace cnnc {

namespace {

/// The reduction that ONNX composes: before and after are ops on single elements. `of_nothing` is
/// what it makes of no elements.
struct Reduction {
  std::string_view onnx, op;
  double of_nothing = 0;
  std::vector<std::string_view> before = {}, after = {};
};

constexpr double infinity = std::numeric_limits<double>::infinity();

const Reduction &reduction(std::string_view onnx) {
  static const std::vector<Reduction> table = {
      {"ReduceMean", "reduce_mean", std::nan("")},
      {"ReduceSum", "reduce_sum"},
      {"ReduceMax", "reduce_max", -infinity},
      {"ReduceMin", "reduce_min", infinity},
      {"ReduceProd", "reduce_prod", 1},
      {"ReduceL1", "reduce_sum", 0, {"abs"}},
      {"ReduceL2", "reduce_sum", 0, {"square"}, {"sqrt"}},
      {"ReduceLogSum", "reduce_sum", -infinity, {}, {"log"}},
      {"ReduceLogSumExp", "", -infinity},
      {"ReduceSumSquare", "reduce_sum", 0, {"square"}},
  };
  return *std::ranges::find(table, onnx, &Reduction::onnx);
}

ValueId apply(OnnxNode &node, std::string_view op, ValueId value) {
  return op == "square" ? node.emit("mul", {value, value}) : node.emit(op, {value});
}

/// Of a tensor without elements: what the reduction makes of none, for each element of the result;
/// of integers the nearest that the type has.
bool reduce_nothing(OnnxNode &node, const ReducedAxes &reduced) {
  std::vector<int64_t> shape = node.shape(0);
  for (size_t i = reduced.axes.size(); i-- > 0;)
    if (auto at = shape.begin() + reduced.axes[i]; reduced.keep)
      *at = 1;
    else
      shape.erase(at);
  ValueId value = node.splat(reduction(node.op()).of_nothing, shape);
  return node.result(node.converted(value, node.type(0).dtype));
}

bool import_reduction(OnnxNode &node) {
  if (!node.require_inputs(1, 2))
    return false;
  std::optional<ReducedAxes> reduced = read_reduced_axes(node);
  if (!reduced)
    return false;
  if (is_empty(node.type(0)) && !reduced->nothing)
    return reduce_nothing(node, *reduced);
  const Reduction &row = reduction(node.op());
  ValueId value = node.operand(0);
  for (std::string_view op : row.before)
    value = apply(node, op, value);
  if (!reduced->nothing)
    value = node.emit_arithmetic(row.op, {value},
                                 {{"axes", reduced->axes}, {"keep_dims", reduced->keep}});
  for (std::string_view op : row.after)
    value = apply(node, op, value);
  return node.result(value);
}

/// log(sum(exp(x))), around the largest x so that nothing overflows.
bool import_log_sum_exp(OnnxNode &node) {
  if (!node.require_inputs(1, 2))
    return false;
  std::optional<ReducedAxes> reduced = read_reduced_axes(node);
  if (!reduced)
    return false;
  if (reduced->nothing)
    return node.pass_through(0);
  if (is_empty(node.type(0)))
    return reduce_nothing(node, *reduced);
  const std::vector<int64_t> &axes = reduced->axes;
  ValueId input = node.operand(0);
  ValueId largest = node.emit("reduce_max", {input}, {{"axes", axes}, {"keep_dims", true}});
  ValueId powers = node.emit("exp", {node.emit("sub", {input, largest})});
  ValueId sum = node.emit("reduce_sum", {powers}, {{"axes", axes}, {"keep_dims", true}});
  ValueId result = node.emit("add", {node.emit("log", {sum}), largest});
  if (result == no_id || reduced->keep)
    return node.result(result);
  std::vector<int64_t> shape = node.type_of(result).shape;
  for (size_t i = axes.size(); i-- > 0;)
    shape.erase(shape.begin() + axes[i]);
  return node.result(reshaped(node, result, shape));
}

bool import_arg(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::optional<size_t> axis = read_axis(node, node.integer("axis", 0), node.rank(0));
  bool keep = node.integer("keepdims", 1) != 0, last = node.integer("select_last_index", 0) != 0;
  if (!axis)
    return false;
  return node.result(node.emit(
      node.op() == "ArgMax" ? "arg_max" : "arg_min", {node.operand(0)},
      {{"axis", static_cast<int64_t>(*axis)}, {"keep_dims", keep}, {"select_last", last}}));
}

bool import_top_k(OnnxNode &node) {
  if (!node.require_inputs(node.opset() < 10 ? 1 : 2, 2))
    return false;
  std::optional<size_t> axis = read_axis(node, node.integer("axis", -1), node.rank(0));
  bool largest = node.integer("largest", 1) != 0;
  node.integer("sorted", 1); // sorted results are in a permitted order, too
  std::optional<std::vector<int64_t>> k;
  if (node.opset() < 10)
    k = {node.integer("k", -1)};
  else
    k = node.known_integers(1, "k");
  if (!axis || !k)
    return false;
  if (k->size() != 1)
    return node.fail("k must be one number");
  std::vector<ValueId> results = node.emit_several(
      "top_k", {node.operand(0)},
      {{"k", k->front()}, {"axis", static_cast<int64_t>(*axis)}, {"largest", largest}});
  return results.size() == 2 && node.result(results[0], 0) && node.result(results[1], 1);
}

/// The elements moved by `distance` along an axis, towards its end or its begin; zeros follow.
ValueId moved(OnnxNode &node, ValueId value, size_t axis, int64_t distance, bool to_begin) {
  std::vector<int64_t> none(node.type_of(value).rank(), 0), some = none;
  some[axis] = distance;
  value = cut_off(node, value, to_begin ? some : none, to_begin ? none : some);
  return node.emit("pad", {value},
                   {{"before", to_begin ? none : some}, {"after", to_begin ? some : none}});
}

ValueId zeros_like(OnnxNode &node, ValueId value) {
  Attributes shape = {{"shape", node.type_of(value).shape}};
  return node.emit("expand", {node.splat(0)}, shape);
}

/// Sums up to each element: of each two neighbours, then of these sums at a distance of 2, 4 ...
bool import_cum_sum(OnnxNode &node) {
  if (!node.require_inputs(2, 2))
    return false;
  bool exclusive = node.integer("exclusive", 0) != 0, reverse = node.integer("reverse", 0) != 0;
  std::optional<std::vector<int64_t>> given = node.known_integers(1, "the axis");
  if (!given || given->size() != 1)
    return given && node.fail("the axis must be one number");
  std::optional<size_t> axis = read_axis(node, given->front(), node.rank(0));
  if (!axis)
    return false;
  const int64_t size = node.shape(0)[*axis];
  if (size == symbolic_dim)
    return node.fail(
        fmt::format("it sums over the symbolic batch: {}", node.importer().advice_to_fix_batch()));
  if (element_count(node.shape(0)) == 0)
    return node.pass_through(0);
  ValueId value = node.as_floats(node.operand(0));
  if (exclusive)
    value = size > 1 ? moved(node, value, *axis, 1, reverse) : zeros_like(node, value);
  for (int64_t distance = 1; distance < size && value != no_id; distance *= 2)
    value = node.emit("add", {value, moved(node, value, *axis, distance, reverse)});
  return node.result(node.converted(value, node.type(0).dtype));
}

constexpr ImportRow rows[] = {{"ReduceMean", import_reduction},
                              {"ReduceSum", import_reduction},
                              {"ReduceMax", import_reduction},
                              {"ReduceMin", import_reduction},
                              {"ReduceProd", import_reduction},
                              {"ReduceL1", import_reduction},
                              {"ReduceL2", import_reduction},
                              {"ReduceLogSum", import_reduction},
                              {"ReduceSumSquare", import_reduction},
                              {"ReduceLogSumExp", import_log_sum_exp},
                              {"ArgMax", import_arg},
                              {"ArgMin", import_arg},
                              {"TopK", import_top_k},
                              {"CumSum", import_cum_sum}};

} // namespace

/// Axes as an attribute, or as an input: of ReduceSum since opset 13, of the others since 18. None
/// means all of them.
std::optional<ReducedAxes> read_reduced_axes(OnnxNode &node) {
  bool as_input = node.opset() >= (node.op() == "ReduceSum" ? 13 : 18);
  bool nothing_if_empty = as_input && node.integer("noop_with_empty_axes", 0) != 0;
  bool keep = node.integer("keepdims", 1) != 0;
  std::optional<std::vector<int64_t>> given;
  if (!as_input)
    given = node.integers("axes");
  else if (node.has(1) && !(given = node.known_integers(1, "the axes")))
    return std::nullopt;
  bool all = !given || given->empty();
  if (all) {
    given.emplace(node.rank(0));
    std::iota(given->begin(), given->end(), int64_t(0));
  }
  std::optional<std::vector<int64_t>> axes = read_axes(node, *given, node.rank(0));
  if (!axes)
    return std::nullopt;
  return ReducedAxes{*axes, keep, (all && nothing_if_empty) || axes->empty()};
}

std::span<const ImportRow> reduction_imports() { return rows; }

} // namespace cnnc
