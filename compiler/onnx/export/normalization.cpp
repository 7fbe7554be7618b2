// Norms, softmax, reductions and what selects elements, as ONNX nodes.
#include "compiler/onnx/export/node.h"

#include <algorithm>

#include <onnx/onnx_pb.h>

namespace cnnc {

bool NodeExport::add(const BatchNorm &op) {
  set_attribute(node("BatchNormalization"), "epsilon", op.epsilon);
  return true;
}

bool NodeExport::add(const Softmax &op) {
  set_attribute(node("Softmax"), "axis", op.axis);
  return true;
}

bool NodeExport::add(const LogSoftmax &op) {
  set_attribute(node("LogSoftmax"), "axis", op.axis);
  return true;
}

bool NodeExport::add(const Hardmax &op) {
  set_attribute(node("Hardmax"), "axis", op.axis);
  return true;
}

/// ONNX has no LayerNormalization without a scale.
bool NodeExport::add(const LayerNorm &op) {
  if (inputs_.size() == 1)
    inputs_.push_back(builder_.scalar(derived("scale"), DType::f32, 1));
  const std::vector<int64_t> &input = shape(0);
  std::vector<int64_t> dims(input.begin() + std::ptrdiff_t(*normalized_axis(op.axis, input.size())),
                            input.end());
  for (size_t i = 1; i < inputs_.size(); ++i)
    if (i >= node_.operands.size() || shape(i) != dims)
      inputs_[i] =
          step("Expand", {inputs_[i], integers("dims", dims)}, i == 1 ? "scales" : "biases");
  onnx::NodeProto &norm = node("LayerNormalization");
  set_attribute(norm, "axis", op.axis);
  set_attribute(norm, "epsilon", op.epsilon);
  return true;
}

bool NodeExport::add(const InstanceNorm &op) {
  set_attribute(node("InstanceNormalization"), "epsilon", op.epsilon);
  return true;
}

/// Groups as the channels of an instance norm, then scale and bias of the channels: ONNX's own
/// GroupNormalization has them per channel from opset 21 on.
bool NodeExport::add(const GroupNorm &op) {
  const std::vector<int64_t> &input = shape(0);
  std::vector<int64_t> same_shape(input.size(), 0), channels(input.size() - 1, 1);
  same_shape[1] = channels[0] = input[1];
  std::copy(input.begin() + 2, input.end(), same_shape.begin() + 2);
  auto per_group = [&](const std::string &suffix, double value) {
    return step(
        "Expand",
        {builder_.scalar(derived(suffix), DType::f32, value), integers("group_count", {op.groups})},
        suffix + "s");
  };
  std::string grouped =
      step("Reshape", {inputs_[0], integers("group_shape", {0, op.groups, -1})}, "groups");
  std::string ones = per_group("one", 1), zeros = per_group("zero", 0);
  std::string normalized = builder_.fresh_name(derived("normalized"));
  set_attribute(builder_.add("InstanceNormalization", {grouped, ones, zeros}, {normalized}),
                "epsilon", op.epsilon);
  std::string result = integers("shape", same_shape);
  if (inputs_.size() == 1) {
    builder_.add("Reshape", {normalized, result}, outputs_);
    return true;
  }
  result = step("Reshape", {normalized, result}, "shaped");
  for (size_t i = 1; i < inputs_.size(); ++i) {
    std::string factor = step("Reshape", {inputs_[i], integers("channel_shape", channels)},
                              i == 1 ? "scale" : "bias");
    const std::string name = i == 1 ? "Mul" : "Add";
    if (i + 1 < inputs_.size())
      result = step(name, {result, factor}, "scaled");
    else
      builder_.add(name, {result, factor}, outputs_);
  }
  return true;
}

bool NodeExport::add(const Lrn &op) {
  onnx::NodeProto &lrn = node("LRN");
  set_attribute(lrn, "size", op.size);
  set_attribute(lrn, "alpha", op.alpha);
  set_attribute(lrn, "beta", op.beta);
  set_attribute(lrn, "bias", op.bias);
  return true;
}

/// In this opset the axes are an operand of ReduceSum and an attribute of the others.
template <ReduceKind kind> bool NodeExport::add(const Reduce<kind> &op) {
  constexpr std::array<const char *, 5> names = {"ReduceMean", "ReduceSum", "ReduceMax",
                                                 "ReduceMin", "ReduceProd"};
  if (kind == ReduceKind::sum)
    inputs_.push_back(integers("axes", op.axes));
  onnx::NodeProto &reduce = node(names[static_cast<size_t>(kind)]);
  if (kind != ReduceKind::sum)
    set_attribute(reduce, "axes", op.axes);
  set_attribute(reduce, "keepdims", int64_t(op.keep_dims));
  return true;
}

template <bool largest> bool NodeExport::add(const ArgExtreme<largest> &op) {
  onnx::NodeProto &arg = node(largest ? "ArgMax" : "ArgMin");
  set_attribute(arg, "axis", op.axis);
  set_attribute(arg, "keepdims", int64_t(op.keep_dims));
  set_attribute(arg, "select_last_index", int64_t(op.select_last));
  return true;
}

template bool NodeExport::add(const ReduceMean &);
template bool NodeExport::add(const ReduceSum &);
template bool NodeExport::add(const ReduceMax &);
template bool NodeExport::add(const ReduceMin &);
template bool NodeExport::add(const ReduceProd &);
template bool NodeExport::add(const ArgMax &);
template bool NodeExport::add(const ArgMin &);

bool NodeExport::add(const TopK &op) {
  inputs_.push_back(integers("k", {op.k}));
  onnx::NodeProto &top = node("TopK");
  set_attribute(top, "axis", op.axis);
  set_attribute(top, "largest", int64_t(op.largest));
  return true;
}

} // namespace cnnc
