// Quantised numbers and sums of products of integers as ONNX nodes.
#include "compiler/onnx/export/node.h"

#include <algorithm>
#include <onnx/onnx_pb.h>

namespace cnnc {

/// Scale and zero point are tensors in ONNX, of one element or one for each entry of the axis. The
/// zero point says the type of what is quantised; INT32 has none.
template <class Op> bool NodeExport::add_quantization(const Op &op, const char *name, DType type) {
  std::vector<std::string> inputs = inputs_;
  const bool by_axis = inputs.size() > 1;
  if (!by_axis)
    inputs.push_back(builder_.scalar(derived("scale"), DType::f32, op.scale));
  if (inputs.size() == 2 && type != DType::i32) {
    const std::vector<int64_t> entries = by_axis ? shape(1) : std::vector<int64_t>{};
    inputs.push_back(builder_.filled(derived("zero_point"), {type, entries},
                                     static_cast<double>(op.zero_point)));
  }
  onnx::NodeProto &result = builder_.add(name, inputs, outputs_);
  if (by_axis)
    set_attribute(result, "axis", op.axis);
  return true;
}

bool NodeExport::add(const Quantize &op) {
  return add_quantization(op, "QuantizeLinear", op.dtype());
}

bool NodeExport::add(const Dequantize &op) {
  const DType type = graph_.type(node_.operands[0]).dtype;
  if (type == DType::i32)
    subtract_zero_point(op);
  return add_quantization(op, "DequantizeLinear", type);
}

/// Negative indices count from the end there, too.
bool NodeExport::add(const Lookup &) {
  const std::string places = builder_.fresh_name(derived("places"));
  set_attribute(builder_.add("Cast", {inputs_[0]}, {places}), "to",
                static_cast<int64_t>(info_of(DType::i32).onnx));
  builder_.add("Gather", {inputs_[1], places}, outputs_);
  return true;
}

/// By a node of its own.
void NodeExport::subtract_zero_point(const Dequantize &op) {
  std::string point;
  if (inputs_.size() > 2) {
    std::vector<int64_t> broadcast(shape(0).size(), 1);
    broadcast[*normalized_axis(op.axis, broadcast.size())] = shape(2)[0];
    point = step("Reshape", {inputs_[2], integers("zero_points_shape", broadcast)}, "zero_points");
    inputs_.pop_back();
  } else if (op.zero_point != 0) {
    point = builder_.scalar(derived("zero_point"), DType::i32, static_cast<double>(op.zero_point));
  }
  if (!point.empty())
    inputs_[0] = step("Sub", {inputs_[0], point}, "centred");
}

/// The padding holds the zero point, which ConvInteger would subtract as well: then it is a node of
/// its own.
bool NodeExport::add_conv_integer(const Conv2d &op) {
  std::array<int64_t, 4> pad = op.pad;
  if (op.zero_point != 0 && pad != std::array<int64_t, 4>{}) {
    inputs_[0] = padded(pad, static_cast<double>(op.zero_point), dtype());
    pad = {};
  }
  const std::string sums = sums_name();
  onnx::NodeProto &conv = builder_.add("ConvInteger", {inputs_[0], inputs_[1]}, {sums});
  set_window(conv, {shape(1)[2], shape(1)[3]}, op.stride, pad, op.dilation);
  set_attribute(conv, "group", op.groups);
  return add_bias(sums, {-1, 1, 1});
}

bool NodeExport::add_matmul_integer() {
  const std::string weights = transposed(inputs_[1], {1, 0}, "weight"), sums = sums_name();
  builder_.add("MatMulInteger", {inputs_[0], weights}, {sums});
  return add_bias(sums, {-1});
}

/// The result's name, or another one when a bias is still to come.
std::string NodeExport::sums_name() {
  return inputs_.size() < 3 ? outputs_[0] : builder_.fresh_name(derived("sums"));
}

/// The bias, if there is one, in this shape.
bool NodeExport::add_bias(const std::string &sums, const std::vector<int64_t> &shape) {
  if (inputs_.size() > 2)
    builder_.add("Add",
                 {sums, step("Reshape", {inputs_[2], integers("bias_shape", shape)}, "bias")},
                 outputs_);
  return true;
}

} // namespace cnnc
