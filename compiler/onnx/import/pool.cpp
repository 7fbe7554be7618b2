// Pools over windows and over whole maps.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/onnx/import/volume.h"
#include "compiler/onnx/import/window.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>

namespace cnnc {

namespace {

bool check_rank(OnnxNode &node) {
  size_t rank = node.rank(0);
  return (rank >= 3 && rank <= 5) ||
         node.fail(fmt::format("its input is {}; pools over 1, 2 and 3 dimensions are supported, "
                               "of [n, c, ...]",
                               to_string(node.type(0))));
}

/// A pool over 1 to 3 dimensions; `attributes` are those besides the window's.
ValueId pooled(OnnxNode &node, std::string_view op, ValueId input, const Windows &windows,
               Attributes attributes) {
  if (windows.rank() == 3)
    return pool_volume(node, op, input, windows, attributes);
  attributes.emplace_back("kernel", two(windows.kernel, 1));
  attributes.emplace_back("stride", two(windows.stride, 1));
  attributes.emplace_back("pad", pads_of_two(windows));
  if (op == "max_pool2d")
    attributes.emplace_back("dilation", two(windows.dilation, 1));
  return from_rows(node, node.emit(op, {as_rows(node, input)}, attributes), windows.rank());
}

bool max_pool_with_indices(OnnxNode &node, const Windows &windows, Attributes attributes,
                           bool column_major) {
  if (windows.rank() == 3)
    return node.fail("indices are supported over one and two dimensions only");
  if (node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("its indices count through the whole batch, which must be known: "
                                 "{}",
                                 node.importer().advice_to_fix_batch()));
  attributes.emplace_back("kernel", two(windows.kernel, 1));
  attributes.emplace_back("stride", two(windows.stride, 1));
  attributes.emplace_back("pad", pads_of_two(windows));
  attributes.emplace_back("dilation", two(windows.dilation, 1));
  attributes.emplace_back("column_major", column_major);
  std::vector<ValueId> results =
      node.emit_several("max_pool2d_indices", {as_rows(node, node.operand(0))}, attributes);
  if (results.size() != 2)
    return false;
  return node.result(from_rows(node, results[0], windows.rank()), 0) &&
         node.result(from_rows(node, results[1], windows.rank()), 1);
}

bool import_max_pool(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !check_rank(node))
    return false;
  bool ceil_mode = node.integer("ceil_mode", 0) != 0;
  bool column_major = node.integer("storage_order", 0) != 0;
  std::optional<Windows> windows = read_windows(node, node.shape(0), {});
  if (!windows)
    return false;
  if (node.wants(1))
    return max_pool_with_indices(node, *windows, {{"ceil_mode", ceil_mode}}, column_major);
  return node.result(
      pooled(node, "max_pool2d", node.operand(0), *windows, {{"ceil_mode", ceil_mode}}));
}

bool has_gaps(const Windows &windows) {
  return std::ranges::any_of(windows.dilation, [](int64_t dilation) { return dilation != 1; });
}

/// Padding behind that makes room for the windows which ceil_mode adds: those that begin inside of
/// the input or of the padding before it.
void add_room(Windows &windows, const std::vector<int64_t> &shape) {
  for (size_t i = 0; i < windows.rank(); ++i) {
    int64_t size = shape[i + 2] + windows.before[i], stride = windows.stride[i];
    int64_t window = (windows.kernel[i] - 1) * windows.dilation[i] + 1;
    int64_t last = (size + windows.after[i] - window + stride - 1) / stride * stride; // begins here
    if (last >= size)
      last -= stride;
    windows.after[i] = std::max(windows.after[i], last + window - size);
  }
}

/// Sums over windows of one or two dimensions: a convolution of each channel with ones.
ValueId plane_sums(OnnxNode &node, ValueId value, const Windows &windows) {
  ValueId rows = as_rows(node, value);
  if (rows == no_id)
    return no_id;
  int64_t channels = node.type_of(rows).shape[1];
  std::vector<int64_t> filter = two(windows.kernel, 1);
  filter.insert(filter.begin(), {channels, 1});
  ValueId sums = node.emit("conv2d", {rows, node.splat(1, filter)},
                           {{"stride", two(windows.stride, 1)},
                            {"pad", pads_of_two(windows)},
                            {"dilation", two(windows.dilation, 1)},
                            {"groups", channels}});
  return from_rows(node, sums, windows.rank());
}

/// The same of any number of dimensions: of three, over slices first, then over the depth.
ValueId window_sums(OnnxNode &node, ValueId value, const Windows &windows) {
  if (windows.rank() < 3 || value == no_id)
    return plane_sums(node, value, windows);
  auto part = [&](size_t first, size_t count) {
    Windows result;
    for (auto list : {&Windows::kernel, &Windows::stride, &Windows::dilation, &Windows::before,
                      &Windows::after})
      (result.*list)
          .assign((windows.*list).begin() + static_cast<ptrdiff_t>(first),
                  (windows.*list).begin() + static_cast<ptrdiff_t>(first + count));
    return result;
  };
  // A second dimension of windows of a single element.
  Windows along_depth = part(0, 1);
  for (auto list : {&Windows::kernel, &Windows::stride, &Windows::dilation})
    (along_depth.*list).push_back(1);
  along_depth.before.push_back(0);
  along_depth.after.push_back(0);
  const std::vector<int64_t> shape = node.type_of(value).shape; // [n, c, d, h, w]
  ValueId maps = reshaped(node, value, {shape[0], shape[1] * shape[2], shape[3], shape[4]});
  maps = plane_sums(node, maps, part(1, 2));
  if (maps == no_id)
    return no_id;
  const int64_t height = node.type_of(maps).shape[2], width = node.type_of(maps).shape[3];
  maps = reshaped(node, maps, {shape[0], shape[1], shape[2], height * width});
  maps = plane_sums(node, maps, along_depth);
  if (maps == no_id)
    return no_id;
  const int64_t depth = node.type_of(maps).shape[2];
  return reshaped(node, maps, {shape[0], shape[1], depth, height, width});
}

/// Means over windows with gaps: sums, by how many elements each window has.
ValueId gapped_means(OnnxNode &node, const Windows &windows, bool ceil_mode, bool count_padding) {
  Windows roomy = windows;
  if (ceil_mode)
    add_room(roomy, node.shape(0));
  std::vector<int64_t> ones = node.shape(0);
  ones[0] = ones[1] = 1;
  Windows counted = roomy;
  for (size_t i = 0; count_padding && i < windows.rank(); ++i) {
    ones[i + 2] += windows.before[i] + windows.after[i];
    counted.before[i] = 0;
    counted.after[i] -= windows.after[i];
  }
  return node.emit("div", {window_sums(node, node.operand(0), roomy),
                           window_sums(node, node.splat(1, ones), counted)});
}

bool import_average_pool(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !check_rank(node))
    return false;
  bool ceil_mode = node.integer("ceil_mode", 0) != 0;
  bool count_padding = node.integer("count_include_pad", 0) != 0;
  std::optional<Windows> windows = read_windows(node, node.shape(0), {});
  if (!windows)
    return false;
  if (has_gaps(*windows))
    return node.result(gapped_means(node, *windows, ceil_mode, count_padding));
  return node.result(pooled(node, "avg_pool2d", node.operand(0), *windows,
                            {{"ceil_mode", ceil_mode}, {"count_padding", count_padding}}));
}

std::vector<int64_t> spatial_axes(OnnxNode &node) {
  std::vector<int64_t> axes(node.rank(0) - 2);
  std::iota(axes.begin(), axes.end(), int64_t(2));
  return axes;
}

bool import_global_average_pool(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !check_rank(node))
    return false;
  if (node.rank(0) == 4)
    return node.result(node.emit("global_avg_pool2d", {node.operand(0)}));
  return node.result(node.emit("reduce_mean", {node.operand(0)}, {{"axes", spatial_axes(node)}}));
}

bool import_global_max_pool(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !check_rank(node))
    return false;
  return node.result(node.emit("reduce_max", {node.operand(0)}, {{"axes", spatial_axes(node)}}));
}

/// |x| to the power p.
ValueId power(OnnxNode &node, ValueId value, double p) {
  if (p == 2)
    return node.emit("mul", {value, value});
  ValueId size = node.emit("abs", {value});
  return p == 1 ? size : node.emit("pow", {size, node.splat(p)});
}

ValueId root(OnnxNode &node, ValueId value, double p) {
  if (p == 2)
    return node.emit("sqrt", {value});
  return p == 1 ? value : node.emit("pow", {value, node.splat(1 / p)});
}

/// p is an integer since opset 2.
std::optional<double> read_power(OnnxNode &node) {
  double p = node.opset() < 2 ? node.number("p", 2) : static_cast<double>(node.integer("p", 2));
  if (p >= 1)
    return p;
  node.fail(fmt::format("p = {} must be at least 1", p));
  return std::nullopt;
}

/// The p-norm of windows. Means times the size of windows are sums.
bool import_lp_pool(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !check_rank(node))
    return false;
  std::optional<double> p = read_power(node);
  bool ceil_mode = node.integer("ceil_mode", 0) != 0;
  std::optional<Windows> windows = read_windows(node, node.shape(0), {});
  if (!p || !windows)
    return false;
  ValueId powers = power(node, node.operand(0), *p);
  if (ceil_mode || has_gaps(*windows)) {
    if (ceil_mode)
      add_room(*windows, node.shape(0));
    return node.result(root(node, window_sums(node, powers, *windows), *p));
  }
  double size = 1;
  for (int64_t side : windows->kernel)
    size *= static_cast<double>(side);
  ValueId means = pooled(node, "avg_pool2d", powers, *windows, {{"count_padding", true}});
  return node.result(root(node, node.emit("mul", {means, node.splat(size)}), *p));
}

bool import_global_lp_pool(OnnxNode &node) {
  if (!node.require_inputs(1, 1) || !check_rank(node))
    return false;
  std::optional<double> p = read_power(node);
  if (!p)
    return false;
  ValueId sums =
      node.emit("reduce_sum", {power(node, node.operand(0), *p)}, {{"axes", spatial_axes(node)}});
  return node.result(root(node, sums, *p));
}

/// How many zeros output_shape adds behind each dimension.
std::optional<std::vector<int64_t>> zeros_behind(OnnxNode &node,
                                                 const std::vector<int64_t> &shape) {
  if (!node.has(2))
    return std::vector<int64_t>(shape.size(), 0);
  std::optional<std::vector<int64_t>> given = node.known_integers(2, "the shape of the output");
  if (!given)
    return std::nullopt;
  bool fits = given->size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    fits =
        (*given)[i] >= shape[i] && (*given)[i] <= largest_dim && (i > 1 || (*given)[i] == shape[i]);
    (*given)[i] -= shape[i];
  }
  if (fits)
    return given;
  node.fail(fmt::format("the shape of the output must be [{}], as the windows have it, or larger "
                        "behind the channels",
                        fmt::join(shape, ", ")));
  return std::nullopt;
}

/// Indices count through the tensor that the windows came from; output_shape widens that with
/// zeros.
bool import_max_unpool(OnnxNode &node) {
  if (!node.require_inputs(2, 3))
    return false;
  size_t rank = node.rank(0);
  if (rank != 3 && rank != 4)
    return node.fail(fmt::format("its input is {}; only maps of one or two dimensions are "
                                 "supported",
                                 to_string(node.type(0))));
  std::optional<Windows> windows = read_windows(node, node.shape(0), {});
  if (!windows)
    return false;
  if (node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("its indices count through the whole batch, which must be known: "
                                 "{}",
                                 node.importer().advice_to_fix_batch()));
  std::vector<int64_t> shape = node.shape(0);
  for (size_t i = 0; i < windows->rank(); ++i)
    shape[i + 2] = (shape[i + 2] - 1) * windows->stride[i] - windows->before[i] -
                   windows->after[i] + windows->kernel[i];
  std::optional<std::vector<int64_t>> zeros = zeros_behind(node, shape);
  if (!zeros)
    return false;
  std::vector<int64_t> maps = shape;
  if (rank == 3)
    maps.insert(maps.begin() + 2, 1);
  ValueId result =
      node.emit("max_unpool2d", {as_rows(node, node.operand(0)), as_rows(node, node.operand(1))},
                {{"shape", maps}});
  result = from_rows(node, result, rank - 2);
  if (std::ranges::any_of(*zeros, [](int64_t count) { return count > 0; }))
    result =
        node.emit("pad", {result}, {{"before", std::vector<int64_t>(rank, 0)}, {"after", *zeros}});
  return node.result(result);
}

constexpr ImportRow rows[] = {{"MaxPool", import_max_pool},
                              {"AveragePool", import_average_pool},
                              {"GlobalAveragePool", import_global_average_pool},
                              {"GlobalMaxPool", import_global_max_pool},
                              {"LpPool", import_lp_pool},
                              {"GlobalLpPool", import_global_lp_pool},
                              {"MaxUnpool", import_max_unpool}};

} // namespace

std::span<const ImportRow> pool_imports() { return rows; }

} // namespace cnnc
