//   y = QLinearConv (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b)
//
// becomes
//
//   y.input1 = DequantizeLinear (x, x_scale, x_zero)
//   y.input4 = DequantizeLinear <axis = 0> (w, w_scale, w_zero)
//   y.bias_scale = Mul (x_scale, w_scale)
//   y.bias = DequantizeLinear <axis = 0> (b, y.bias_scale)
//   y.float = Conv (y.input1, y.input4, y.bias)
//   y = QuantizeLinear (y.float, y_scale, y_zero)
//
// so that quantised networks have one form, which lower_quantized makes integer kernels of.
#include "compiler/onnx/import/expand_quantized.h"

#include "compiler/onnx/import/importer.h"
#include "compiler/onnx/import/node_order.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// Where an op has a quantised tensor: its number among the inputs, the scale and the zero point
/// behind it. Several scales are for the entries of `axis`.
struct Quantized {
  int input;
  int64_t axis = 0;
};

/// An op between quantised tensors.
struct Form {
  std::string_view op, float_op;
  std::vector<Quantized> operands;
  int result; // where the result's scale is, its zero point behind it
  int bias = -1;
  int64_t bias_axis = 0;
};

const std::vector<Form> &forms() {
  static const std::vector<Form> table = {
      {"QLinearConv", "Conv", {{0}, {3, 0}}, 6, 8},
      {"QLinearMatMul", "MatMul", {{0, -2}, {3, -1}}, 6},
      {"QLinearAdd", "Add", {{0}, {3}}, 6},
      {"QLinearMul", "Mul", {{0}, {3}}, 6},
      {"QLinearSigmoid", "Sigmoid", {{0}}, 3},
      {"QLinearLeakyRelu", "LeakyRelu", {{0}}, 3},
      {"QLinearSoftmax", "Softmax", {{0}}, 3},
      {"QLinearAveragePool", "AveragePool", {{0}}, 3},
      {"QLinearGlobalAveragePool", "GlobalAveragePool", {{0}}, 3},
  };
  return table;
}

bool is_microsoft(const onnx::NodeProto &node) { return node.domain() == "com.microsoft"; }

/// The names of the ops of com.microsoft that are expanded besides those of the table.
constexpr std::array<std::string_view, 6> others = {
    "QuantizeLinear", "DequantizeLinear",      "QLinearConcat",
    "QGemm",          "DynamicQuantizeMatMul", "MatMulIntegerToFloat"};

bool is_quantized(const onnx::NodeProto &node) {
  const std::string &op = node.op_type();
  if (node.output_size() == 0 || node.output(0).empty())
    return false;
  if (is_standard_domain(node.domain()))
    return op == "QLinearConv" || op == "QLinearMatMul";
  return is_microsoft(node) && (std::ranges::find(others, op) != others.end() ||
                                std::ranges::find(forms(), op, &Form::op) != forms().end());
}

bool has_quantized(const onnx::GraphProto &graph) {
  return std::ranges::any_of(graph.node(), [](const onnx::NodeProto &node) {
    return is_quantized(node) ||
           std::ranges::any_of(node.attribute(), [](const onnx::AttributeProto &attribute) {
             return attribute.has_g() && has_quantized(attribute.g());
           });
  });
}

void set_axis(onnx::NodeProto &node, int64_t axis) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name("axis");
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(axis);
}

/// One node and what it becomes.
class Expansion {
public:
  Expansion(const onnx::NodeProto &node, Nodes &nodes) : node_(node), nodes_(nodes) {}

  /// What is wrong with the node; empty when nothing is.
  std::string run() {
    const std::string &op = node_.op_type();
    if (const auto *attribute = find_attribute("channels_last"); attribute && attribute->i() != 0)
      return "channels_last = 1 is not supported: save the model before ONNX Runtime optimises it";
    if (op == "QuantizeLinear" || op == "DequantizeLinear")
      take_standard_op();
    else if (op == "DynamicQuantizeMatMul")
      multiply_dynamically();
    else if (op == "MatMulIntegerToFloat")
      multiply(input(0), input(2), input(4), input(1), input(3), input(5), input(6));
    else
      return compute_in_floats(op == "QLinearConcat" ? concat_form()
                               : op == "QGemm"       ? gemm_form()
                                                     : *std::ranges::find(forms(), op, &Form::op));
    return "";
  }

private:
  /// Empty when it is not there.
  std::string input(int number) const {
    return number >= 0 && number < node_.input_size() ? node_.input(number) : "";
  }
  const onnx::AttributeProto *find_attribute(std::string_view name) const {
    auto found = std::ranges::find(node_.attribute(), name, &onnx::AttributeProto::name);
    return found == node_.attribute().end() ? nullptr : &*found;
  }
  std::string derived(std::string_view part) const {
    return fmt::format("{}.{}", node_.output(0), part);
  }

  onnx::NodeProto &add(std::string_view op, const std::vector<std::string> &inputs,
                       const std::string &output) {
    onnx::NodeProto &node = *nodes_.Add();
    node.set_op_type(std::string(op));
    for (const std::string &name : inputs)
      node.add_input(name);
    node.add_output(output);
    return node;
  }

  /// The same as the one of ONNX.
  void take_standard_op() {
    onnx::NodeProto &node = *nodes_.Add();
    node = node_;
    node.clear_domain();
  }

  Form concat_form() const {
    Form form{"QLinearConcat", "Concat", {}, 0};
    for (int i = 2; i < node_.input_size(); i += 3)
      form.operands.push_back({i});
    return form;
  }

  Form gemm_form() const {
    const onnx::AttributeProto *transposed = find_attribute("transB");
    const int64_t columns = transposed && transposed->i() != 0 ? 0 : 1;
    return {"QGemm", "Gemm", {{0}, {3, columns}}, 7, 6, 0};
  }

  std::string compute_in_floats(const Form &form) {
    std::vector<std::string> operands;
    for (const auto &[first, axis] : form.operands) {
      operands.push_back(derived(fmt::format("input{}", first + 1)));
      set_axis(add("DequantizeLinear", {input(first), input(first + 1), input(first + 2)},
                   operands.back()),
               axis);
    }
    if (!input(form.bias).empty())
      operands.push_back(dequantized_bias(form));
    // The result of QGemm is one of floats when its scale is left out.
    const bool quantizes = form.op != "QGemm" || !input(form.result).empty();
    if (quantizes && input(form.result + 1).empty())
      return fmt::format("its input {}, the zero point of the result, is missing", form.result + 2);
    add_float_op(form.float_op, operands, quantizes ? derived("float") : node_.output(0));
    if (quantizes)
      add("QuantizeLinear", {derived("float"), input(form.result), input(form.result + 1)},
          node_.output(0));
    return "";
  }

  void add_float_op(std::string_view op, const std::vector<std::string> &operands,
                    const std::string &output) {
    onnx::NodeProto &node = add(op, operands, output);
    node.set_name(node_.name());
    for (const onnx::AttributeProto &attribute : node_.attribute())
      if (attribute.name() != "channels_last")
        *node.add_attribute() = attribute;
  }

  /// The bias has the scale of the products, of Gemm times alpha.
  std::string dequantized_bias(const Form &form) {
    std::string scale = derived("bias_scale");
    const std::string a = input(form.operands[0].input + 1), b = input(form.operands[1].input + 1);
    const auto *alpha = find_attribute("alpha");
    add("Mul", {a, b}, alpha ? derived("product_scale") : scale);
    if (alpha) {
      onnx::AttributeProto &value = *add("Constant", {}, derived("alpha")).add_attribute();
      value = *alpha;
      value.set_name("value_float");
      add("Mul", {derived("product_scale"), derived("alpha")}, scale);
    }
    set_axis(add("DequantizeLinear", {input(form.bias), scale}, derived("bias")), form.bias_axis);
    return derived("bias");
  }

  /// Inputs: floats, the matrix, its scale and zero point, a bias.
  void multiply_dynamically() {
    onnx::NodeProto &quantized = add("DynamicQuantizeLinear", {input(0)}, derived("input1"));
    quantized.add_output(derived("scale1"));
    quantized.add_output(derived("zero_point1"));
    multiply(derived("input1"), derived("scale1"), derived("zero_point1"), input(1), input(2),
             input(3), input(4));
  }

  /// (a - a_zero) * (b - b_zero) * (a_scale * b_scale) + bias
  void multiply(const std::string &a, const std::string &a_scale, const std::string &a_zero,
                const std::string &b, const std::string &b_scale, const std::string &b_zero,
                const std::string &bias) {
    add("MatMulInteger", {a, b, a_zero, b_zero}, derived("sums")).set_name(node_.name());
    onnx::AttributeProto &to = *add("Cast", {derived("sums")}, derived("float")).add_attribute();
    to.set_name("to");
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(onnx::TensorProto::FLOAT);
    add("Mul", {a_scale, b_scale}, derived("scale"));
    add("Mul", {derived("float"), derived("scale")},
        bias.empty() ? node_.output(0) : derived("product"));
    if (!bias.empty())
      add("Add", {derived("product"), bias}, node_.output(0));
  }

  const onnx::NodeProto &node_;
  Nodes &nodes_;
};

class Expander {
public:
  Expander(const std::string &file, Diagnostics &diagnostics)
      : file_(file), diagnostics_(diagnostics) {}

  bool run(onnx::GraphProto &graph) {
    bool ok = true;
    Nodes nodes;
    for (onnx::NodeProto &node : *graph.mutable_node()) {
      for (onnx::AttributeProto &attribute : *node.mutable_attribute())
        if (attribute.has_g())
          ok = run(*attribute.mutable_g()) && ok;
      if (!is_quantized(node)) {
        nodes.Add()->Swap(&node);
      } else if (std::string problem = Expansion(node, nodes).run(); !problem.empty()) {
        auto source = std::make_shared<const Source>(Source{file_, "", describe(node), false});
        diagnostics_.error({source, 0, 0}, std::move(problem));
        ok = false;
      }
    }
    graph.mutable_node()->Swap(&nodes);
    return ok;
  }

private:
  const std::string &file_;
  Diagnostics &diagnostics_;
};

} // namespace

std::shared_ptr<const onnx::ModelProto>
expand_quantized(std::shared_ptr<const onnx::ModelProto> model, const std::string &file,
                 Diagnostics &diagnostics) {
  if (!has_quantized(model->graph()))
    return model;
  auto expanded = std::make_shared<onnx::ModelProto>(*model);
  return Expander(file, diagnostics).run(*expanded->mutable_graph()) ? expanded : nullptr;
}

} // namespace cnnc
