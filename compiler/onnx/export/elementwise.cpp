// Ops on single elements as ONNX nodes.
#include "compiler/onnx/export/node.h"

#include <algorithm>
#include <onnx/onnx_pb.h>
#include <span>

namespace cnnc {

namespace {

/// An op that ONNX has, too, and the names of its parameters there.
template <class Kind> struct NameRow {
  Kind kind;
  const char *name;
  std::array<const char *, 2> parameters = {};
};

constexpr NameRow<UnaryKind> unary_names[] = {
    {UnaryKind::relu, "Relu"},
    {UnaryKind::leaky_relu, "LeakyRelu", {"alpha"}},
    {UnaryKind::sigmoid, "Sigmoid"},
    {UnaryKind::tanh, "Tanh"},
    {UnaryKind::hard_sigmoid, "HardSigmoid", {"alpha", "beta"}},
    {UnaryKind::hard_swish, "HardSwish"},
    {UnaryKind::elu, "Elu", {"alpha"}},
    {UnaryKind::exp, "Exp"},
    {UnaryKind::sqrt, "Sqrt"},
    {UnaryKind::abs, "Abs"},
    {UnaryKind::neg, "Neg"},
    {UnaryKind::floor, "Floor"},
    {UnaryKind::ceil, "Ceil"},
    {UnaryKind::round, "Round"},
    {UnaryKind::sign, "Sign"},
    {UnaryKind::log, "Log"},
    {UnaryKind::erf, "Erf"},
    {UnaryKind::reciprocal, "Reciprocal"},
    {UnaryKind::softplus, "Softplus"},
    {UnaryKind::softsign, "Softsign"},
    {UnaryKind::selu, "Selu", {"alpha", "gamma"}},
    {UnaryKind::celu, "Celu", {"alpha"}},
    {UnaryKind::thresholded_relu, "ThresholdedRelu", {"alpha"}},
    {UnaryKind::logical_not, "Not"}};

constexpr NameRow<BinaryKind> binary_names[] = {{BinaryKind::add, "Add"},
                                                {BinaryKind::sub, "Sub"},
                                                {BinaryKind::mul, "Mul"},
                                                {BinaryKind::div, "Div"},
                                                {BinaryKind::min, "Min"},
                                                {BinaryKind::max, "Max"},
                                                {BinaryKind::prelu, "PRelu"},
                                                {BinaryKind::pow, "Pow"},
                                                {BinaryKind::equal, "Equal"},
                                                {BinaryKind::less, "Less"},
                                                {BinaryKind::less_or_equal, "LessOrEqual"},
                                                {BinaryKind::greater, "Greater"},
                                                {BinaryKind::greater_or_equal, "GreaterOrEqual"},
                                                {BinaryKind::logical_and, "And"},
                                                {BinaryKind::logical_or, "Or"},
                                                {BinaryKind::logical_xor, "Xor"}};

/// Null when ONNX does not have the op.
template <class Kind>
const NameRow<Kind> *find_row(std::span<const NameRow<Kind>> rows, Kind kind) {
  auto row = std::ranges::find(rows, kind, &NameRow<Kind>::kind);
  return row == rows.end() ? nullptr : &*row;
}

} // namespace

bool NodeExport::add(const Unary &op) {
  auto scalar = [&](const std::string &suffix, double value) {
    inputs_.push_back(builder_.scalar(derived(suffix), DType::f32, value));
  };
  if (const auto *row = find_row<UnaryKind>(unary_names, op.kind)) {
    onnx::NodeProto &unary = node(row->name);
    for (size_t i = 0; i < row->parameters.size() && row->parameters[i]; ++i)
      set_attribute(unary, row->parameters[i], op.parameters[i]);
    return true;
  }
  switch (op.kind) {
  case UnaryKind::clip: // bounds left out would be the largest finite numbers
    scalar("min", op.parameters[0]);
    scalar("max", op.parameters[1]);
    return same("Clip");
  case UnaryKind::silu:
    builder_.add("Mul", {inputs_[0], step("Sigmoid", inputs_, "sigmoid")}, outputs_);
    return true;
  case UnaryKind::dropout:
    scalar("ratio", op.parameters[0]);
    return same("Dropout");
  case UnaryKind::gelu:
  case UnaryKind::gelu_tanh:
    return add_gelu(op.kind == UnaryKind::gelu_tanh);
  case UnaryKind::mish: { // Mish is younger than the opset
    std::string softplus = step("Softplus", inputs_, "softplus");
    builder_.add("Mul", {inputs_[0], step("Tanh", {softplus}, "tanh")}, outputs_);
    return true;
  }
  default:
    return false;
  }
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
  const auto *row = find_row<BinaryKind>(binary_names, op.kind);
  return row && same(row->name);
}

bool NodeExport::add(const Cast &op) {
  set_attribute(node("Cast"), "to", static_cast<int64_t>(onnx_type(op.dtype())));
  return true;
}

} // namespace cnnc
