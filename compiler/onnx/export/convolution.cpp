// Convolutions and dense layers as ONNX nodes.
#include "compiler/onnx/export/node.h"

#include <algorithm>

#include <onnx/onnx_pb.h>

namespace cnnc {

bool NodeExport::add(const Conv2d &op) {
  if (dtype() != DType::f32)
    return add_conv_integer(op);
  onnx::NodeProto &conv = node("Conv");
  set_window(conv, {shape(1)[2], shape(1)[3]}, op.stride, op.pad, op.dilation);
  set_attribute(conv, "group", op.groups);
  return true;
}

/// ONNX Runtime wants an output_padding below the stride or the dilation. Rows and columns beyond
/// are zeros behind a convolution without bias.
bool NodeExport::add(const ConvTranspose2d &op) {
  bool beyond = false;
  for (size_t i = 0; i < 2; ++i)
    beyond = beyond || op.output_padding[i] >= std::max(op.stride[i], op.dilation[i]);
  if (!beyond)
    return add_conv_transpose(op, inputs_, outputs_[0]);
  std::string name = builder_.fresh_name(derived("product"));
  ConvTranspose2d inner = op;
  inner.output_padding = {};
  add_conv_transpose(inner, {inputs_[0], inputs_[1]}, name);
  std::string pads =
      integers("pads", {0, 0, 0, 0, 0, 0, op.output_padding[0], op.output_padding[1]});
  if (inputs_.size() < 3) {
    builder_.add("Pad", {name, pads}, outputs_);
    return true;
  }
  std::string bias = step("Reshape", {inputs_[2], integers("planes", {-1, 1, 1})}, "bias");
  builder_.add("Add", {step("Pad", {name, pads}, "padded"), bias}, outputs_);
  return true;
}

bool NodeExport::add_conv_transpose(const ConvTranspose2d &op,
                                    const std::vector<std::string> &inputs,
                                    const std::string &result) {
  onnx::NodeProto &conv = builder_.add("ConvTranspose", inputs, {result});
  set_window(conv, {shape(1)[2], shape(1)[3]}, op.stride, op.pad, op.dilation);
  set_attribute(conv, "group", op.groups);
  set_attribute(conv, "output_padding",
                std::vector<int64_t>(op.output_padding.begin(), op.output_padding.end()));
  return true;
}

/// Every window of the padded input as a column: [n, oh, ow, ic * kh * kw, 1]. Rows are gathered
/// first, which makes [n, ic, oh, kh, w] of [n, ic, h, w], then columns.
std::string NodeExport::local_windows(const Local2d &op) {
  const std::vector<int64_t> &filter = shape(1);
  std::string name = padded(op.pad, 0);
  for (size_t i = 0; i < 2; ++i) {
    int64_t positions = filter[i], kernel = filter[4 + i];
    std::vector<int64_t> subscripts;
    for (int64_t position = 0; position < positions; ++position)
      for (int64_t k = 0; k < kernel; ++k)
        subscripts.push_back(position * op.stride[i] + k * op.dilation[i]);
    std::string indices =
        builder_.integers(derived(i == 0 ? "rows" : "columns"), subscripts, {positions, kernel});
    std::string gathered = builder_.fresh_name(derived("gathered"));
    set_attribute(builder_.add("Gather", {name, indices}, {gathered}), "axis",
                  int64_t(i == 0 ? 2 : 4));
    name = gathered;
  }
  name = transposed(name, {0, 2, 4, 1, 3, 5}, "positions"); // [n, oh, ow, ic, kh, kw]
  int64_t window = filter[3] * filter[4] * filter[5];
  return step("Reshape", {name, integers("window_shape", {0, filter[0], filter[1], window, 1})},
              "windows");
}

/// A matrix product per image and position: [oc, window] times [window, 1].
bool NodeExport::add(const Local2d &op) {
  const std::vector<int64_t> &filter = shape(1);
  std::string windows = local_windows(op);
  std::vector<int64_t> matrices = {filter[0], filter[1], filter[2], -1};
  std::string weights = step("Reshape", {inputs_[1], integers("filter_shape", matrices)}, "filter");
  std::string product = step("MatMul", {weights, windows}, "products"); // [n, oh, ow, oc, 1]
  std::vector<int64_t> pixels = {0, filter[0], filter[1], filter[2]}, to_planes = {0, 3, 1, 2};
  product = step("Reshape", {product, integers("pixel_shape", pixels)}, "pixels");
  if (inputs_.size() > 2)
    builder_.add("Add", {transposed(product, to_planes, "planes"), inputs_[2]}, outputs_);
  else
    set_attribute(builder_.add("Transpose", {product}, outputs_), "perm", to_planes);
  return true;
}

bool NodeExport::add(const Dense &) {
  if (dtype() != DType::f32)
    return add_matmul_integer();
  set_attribute(node("Gemm"), "transB", int64_t(1));
  return true;
}

} // namespace cnnc
