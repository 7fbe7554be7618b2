// Conv and ConvTranspose.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/onnx/import/volume.h"
#include "compiler/onnx/import/window.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// Checks the operands of a convolution of 1 to 3 spatial dimensions and reads its windows, which
/// are those of the filter.
std::optional<Windows> read_convolution(OnnxNode &node) {
  size_t rank = node.rank(0);
  if (rank < 3 || rank > 5) {
    node.fail(fmt::format("its input is {}; convolutions over 1, 2 and 3 dimensions are supported, "
                          "of [n, c, ...]",
                          to_string(node.type(0))));
    return std::nullopt;
  }
  if (!node.require_rank(1, rank, "as many as the input"))
    return std::nullopt;
  const std::vector<int64_t> &filter = node.shape(1);
  return read_windows(node, node.shape(0), {filter.begin() + 2, filter.end()});
}

/// Input, filter and bias, if there is one.
std::vector<ValueId> operands_of(OnnxNode &node) {
  std::vector<ValueId> operands = {node.operand(0), node.operand(1)};
  if (node.has(2))
    operands.push_back(node.operand(2));
  return operands;
}

/// The same as operands of two dimensions.
std::vector<ValueId> planes(OnnxNode &node, std::vector<ValueId> operands) {
  for (size_t i = 0; i < 2; ++i)
    operands[i] = as_rows(node, operands[i]);
  return operands;
}

bool import_conv(OnnxNode &node) {
  return node.require_inputs(2, 3) && node.result(convolved(node, operands_of(node)));
}

/// Pads of a transposed convolution whose output has a given size; where even no pads make it large
/// enough, the rest is added behind.
void pad_to_size(Windows &windows, std::vector<int64_t> &extra, const std::vector<int64_t> &shape,
                 const std::vector<int64_t> &sizes, bool more_at_end) {
  for (size_t i = 0; i < windows.rank(); ++i) {
    int64_t full = (shape[i + 2] - 1) * windows.stride[i] +
                   windows.dilation[i] * (windows.kernel[i] - 1) + 1 + extra[i];
    int64_t total = std::max<int64_t>(0, full - sizes[i]);
    extra[i] += std::max<int64_t>(0, sizes[i] - full);
    windows.before[i] = more_at_end ? total / 2 : total - total / 2;
    windows.after[i] = total - windows.before[i];
  }
}

/// output_shape is for the spatial dimensions; some files also give [n, c].
bool read_output_size(OnnxNode &node, Windows &windows, std::vector<int64_t> &extra) {
  const std::vector<int64_t> &shape = node.shape(0);
  std::string mode = node.word("auto_pad", "NOTSET");
  std::optional<std::vector<int64_t>> sizes = node.integers("output_shape");
  if (sizes && sizes->size() == shape.size())
    sizes->erase(sizes->begin(), sizes->begin() + 2);
  bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!sizes && same) {
    sizes.emplace();
    for (size_t i = 0; i < windows.rank(); ++i)
      sizes->push_back(shape[i + 2] * windows.stride[i]);
  }
  if (!sizes)
    return true;
  bool fits = sizes->size() == windows.rank() && std::ranges::all_of(*sizes, [](int64_t size) {
                return size >= 1 && size <= largest_dim;
              });
  if (!fits)
    return node.fail(fmt::format("'output_shape' [{}] must be {} sizes between 1 and {}",
                                 fmt::join(*sizes, ", "), windows.rank(), largest_dim));
  pad_to_size(windows, extra, shape, *sizes, mode == "SAME_UPPER");
  return true;
}

bool import_conv_transpose(OnnxNode &node) {
  if (!node.require_inputs(2, 3))
    return false;
  int64_t groups = node.integer("group", 1);
  std::optional<Windows> windows = read_convolution(node);
  if (!windows)
    return false;
  std::vector<int64_t> extra =
      node.integers("output_padding").value_or(std::vector<int64_t>(windows->rank(), 0));
  if (extra.size() != windows->rank() ||
      std::ranges::any_of(extra, [](int64_t size) { return size < 0 || size > largest_dim; }))
    return node.fail(fmt::format("'output_padding' [{}] must be {} sizes between 0 and {}",
                                 fmt::join(extra, ", "), windows->rank(), largest_dim));
  if (!read_output_size(node, *windows, extra))
    return false;
  if (windows->rank() == 3)
    return node.result(transpose_convolve_volume(node, operands_of(node), *windows, extra, groups));
  ValueId result = node.emit("conv_transpose2d", planes(node, operands_of(node)),
                             {{"stride", two(windows->stride, 1)},
                              {"pad", pads_of_two(*windows)},
                              {"dilation", two(windows->dilation, 1)},
                              {"groups", groups},
                              {"output_padding", two(extra, 0)}});
  return node.result(from_rows(node, result, windows->rank()));
}

constexpr ImportRow rows[] = {{"Conv", import_conv}, {"ConvTranspose", import_conv_transpose}};

} // namespace

ValueId convolved(OnnxNode &node, const std::vector<ValueId> &operands, Attributes attributes) {
  const int64_t groups = node.integer("group", 1);
  std::optional<Windows> windows = read_convolution(node);
  if (!windows)
    return no_id;
  if (windows->rank() == 3)
    return convolve_volume(node, operands, *windows, groups);
  attributes.insert(attributes.end(), {{"stride", two(windows->stride, 1)},
                                       {"pad", pads_of_two(*windows)},
                                       {"dilation", two(windows->dilation, 1)},
                                       {"groups", groups}});
  return from_rows(node, node.emit("conv2d", planes(node, operands), std::move(attributes)),
                   windows->rank());
}

std::span<const ImportRow> convolution_imports() { return rows; }

} // namespace cnnc
