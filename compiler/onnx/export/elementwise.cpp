// Ops on single elements as ONNX nodes.
#include "compiler/onnx/export/node.h"

#include <onnx/onnx_pb.h>

namespace cnnc {

bool NodeExport::add(const Unary &op) {
  const UnaryRow &row = *op.row;
  if (row.onnx.op.empty() || row.onnx.since > onnx_opset)
    return expand_into_ops(op);
  onnx::NodeProto &unary = node(std::string(row.onnx.op));
  for (size_t i = 0; i < row.parameter_count(); ++i)
    set_attribute(unary, std::string(row.parameters[i].onnx_name()), op.parameters[i]);
  return true;
}

/// The unary ops that our opset does not have, or takes parameters of as operands.
bool NodeExport::expand_into_ops(const Unary &op) {
  auto scalar = [&](const std::string &suffix, double value) {
    inputs_.push_back(builder_.scalar(derived(suffix), DType::f32, value));
  };
  if (op.row == unary::clip) { // bounds left out would be the largest finite numbers
    scalar("min", op.parameters[0]);
    scalar("max", op.parameters[1]);
    return same("Clip");
  }
  if (op.row == unary::dropout) {
    scalar("ratio", op.parameters[0]);
    return same("Dropout");
  }
  if (op.row == unary::silu) {
    builder_.add("Mul", {inputs_[0], step("Sigmoid", inputs_, "sigmoid")}, outputs_);
    return true;
  }
  if (op.row == unary::mish) {
    std::string softplus = step("Softplus", inputs_, "softplus");
    builder_.add("Mul", {inputs_[0], step("Tanh", {softplus}, "tanh")}, outputs_);
    return true;
  }
  return (op.row == unary::gelu || op.row == unary::gelu_tanh) &&
         add_gelu(op.row == unary::gelu_tanh);
}

/// x / 2 * (1 + erf(x / sqrt 2)), or the approximation with tanh: Gelu is younger than the opset.
bool NodeExport::add_gelu(bool with_tanh) {
  auto number = [&](const std::string &suffix, double value) {
    return builder_.scalar(derived(suffix), DType::f32, value);
  };
  const std::string x = inputs_[0];
  std::string inner = x;
  if (with_tanh) {
    std::string cube = step("Mul", {step("Mul", {x, x}, "square"), x}, "cube");
    inner = step("Add", {x, step("Mul", {cube, number("cubic", 0.044715)}, "term")}, "inner");
  }
  std::string scale = number("scale", with_tanh ? 0.79788456080286535588 : 0.70710678118654752440);
  inner = step("Mul", {inner, scale}, "scaled");
  std::string curve = step(with_tanh ? "Tanh" : "Erf", {inner}, "curve");
  std::string factor = step("Add", {curve, number("one", 1)}, "factor");
  builder_.add("Mul", {step("Mul", {x, number("half", 0.5)}, "halved"), factor}, outputs_);
  return true;
}

bool NodeExport::add(const Binary &op) {
  return !op.row->onnx.op.empty() && same(std::string(op.row->onnx.op));
}

bool NodeExport::add(const Cast &op) {
  set_attribute(node("Cast"), "to", static_cast<int64_t>(info_of(op.dtype()).onnx));
  return true;
}

} // namespace cnnc
