// Pools as ONNX nodes.
#include "compiler/onnx/export/node.h"

#include <algorithm>
#include <limits>

#include <onnx/onnx_pb.h>

namespace cnnc {

/// A Pad node around the planes of operand 0.
std::string NodeExport::padded(const std::array<int64_t, 4> &pad, double value, DType dtype) {
  std::string pads = integers("pads", {0, 0, pad[0], pad[1], 0, 0, pad[2], pad[3]});
  std::string fill = builder_.scalar(derived("fill"), dtype, value);
  return step("Pad", {inputs_[0], pads, fill}, "padded");
}

void NodeExport::set_window(onnx::NodeProto &node, const std::array<int64_t, 2> &kernel,
                            const std::array<int64_t, 2> &stride, const std::array<int64_t, 4> &pad,
                            const std::optional<std::array<int64_t, 2>> &dilation) {
  auto list = [](const auto &values) { return std::vector<int64_t>(values.begin(), values.end()); };
  set_attribute(node, "kernel_shape", list(kernel));
  set_attribute(node, "strides", list(stride));
  set_attribute(node, "pads", list(pad));
  if (dilation)
    set_attribute(node, "dilations", list(*dilation));
}

/// The padding, but after the input as much as the last windows read.
std::array<int64_t, 4> NodeExport::padding_read(const std::array<int64_t, 4> &pad,
                                                const std::array<int64_t, 2> &kernel,
                                                const std::array<int64_t, 2> &stride,
                                                const std::array<int64_t, 2> &dilation) const {
  std::array<int64_t, 4> result = pad;
  for (size_t i = 0; i < 2; ++i) {
    int64_t last = (result_shape()[2 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
    result[2 + i] = std::max<int64_t>(0, last - pad[i] - shape(0)[2 + i]);
  }
  return result;
}

/// ceil_mode is spelt as padding after the input, since its meaning has changed between versions of
/// ONNX. ONNX Runtime wants pads smaller than the kernel, which those of dilated windows need not
/// be: then they are a node of their own.
bool NodeExport::add(const MaxPool2d &op) {
  std::array<int64_t, 4> pad = op.pad;
  auto too_large = [&](size_t i) { return pad[i] >= op.kernel[i % 2]; };
  if (op.ceil_mode || too_large(2) || too_large(3))
    pad = padding_read(op.pad, op.kernel, op.stride, op.dilation);
  if (too_large(0) || too_large(1) || too_large(2) || too_large(3)) {
    const bool floats = is_float(dtype());
    inputs_[0] = padded(pad,
                        floats ? -std::numeric_limits<double>::infinity()
                               : static_cast<double>(least_of(dtype())),
                        dtype());
    pad = {};
  }
  set_window(node("MaxPool"), op.kernel, op.stride, pad, op.dilation);
  return true;
}

/// A Pad of its own would change the indices.
bool NodeExport::add(const MaxPool2dIndices &op) {
  onnx::NodeProto &pool = node("MaxPool");
  set_window(pool, op.kernel, op.stride,
             op.ceil_mode ? padding_read(op.pad, op.kernel, op.stride, op.dilation) : op.pad,
             op.dilation);
  set_attribute(pool, "storage_order", int64_t(op.column_major));
  return true;
}

/// Windows that came from planes of this shape, one step apart; where it is another batch or has
/// other channels, a shape of its own, through which ONNX Runtime counts.
bool NodeExport::add(const MaxUnpool2d &op) {
  const std::vector<int64_t> &input = shape(0);
  if (!std::equal(input.begin(), input.begin() + 2, op.shape.begin())) {
    inputs_.push_back(integers("shape", op.shape));
    set_attribute(node("MaxUnpool"), "kernel_shape", std::vector<int64_t>{1, 1});
    return true;
  }
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 4> pad = {};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t more = op.shape[2 + i] - input[2 + i], less = std::max<int64_t>(0, -more);
    kernel[i] = 1 + std::max(more, less);
    pad[i] = pad[2 + i] = less;
  }
  set_window(node("MaxUnpool"), kernel, {1, 1}, pad, std::nullopt);
  return true;
}

/// As for max_pool2d, without dilations, which the opset does not have. With count_padding, what
/// ceil_mode adds does not count: the written padding is a node of its own then.
bool NodeExport::add(const AvgPool2d &op) {
  read_as_floats();
  std::array<int64_t, 4> pad = op.pad;
  bool written_fits = !op.ceil_mode && pad[2] < op.kernel[0] && pad[3] < op.kernel[1];
  bool count_padding = op.count_padding;
  if (!written_fits)
    pad = padding_read(op.pad, op.kernel, op.stride, {1, 1});
  if (!written_fits && count_padding) {
    std::array<int64_t, 4> counted = pad;
    for (size_t i = 2; i < 4; ++i)
      counted[i] = std::min(pad[i], op.pad[i]);
    inputs_[0] = padded(counted, 0);
    pad = {0, 0, pad[2] - counted[2], pad[3] - counted[3]};
    count_padding = false;
  }
  onnx::NodeProto &pool = node("AveragePool");
  set_window(pool, op.kernel, op.stride, pad);
  set_attribute(pool, "count_include_pad", int64_t(count_padding));
  return true;
}

bool NodeExport::add(const GlobalAvgPool2d &) {
  read_as_floats();
  return same("GlobalAveragePool");
}

/// Means of integers are not among ONNX's ops.
void NodeExport::read_as_floats() {
  if (is_float(dtype()))
    return;
  const std::string floats = builder_.fresh_name(derived("floats"));
  set_attribute(builder_.add("Cast", {inputs_[0]}, {floats}), "to",
                static_cast<int64_t>(info_of(DType::f32).onnx));
  inputs_[0] = floats;
}

} // namespace cnnc
