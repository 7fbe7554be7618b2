#include "compiler/onnx/export_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

template <size_t N> std::vector<int64_t> list(const std::array<int64_t, N> &values) {
  return {values.begin(), values.end()};
}

/// The names that one node's operands and results have, and its types.
class NodeExport {
public:
  NodeExport(NodeBuilder &builder, const Graph &graph, const Node &node)
      : builder_(builder), graph_(graph), node_(node) {
    for (ValueId id : node.operands)
      inputs_.push_back(graph.value(id).name);
    for (ValueId id : node.results)
      outputs_.push_back(graph.value(id).name);
  }

  bool add(const Conv2d &op);
  bool add(const ConvTranspose2d &op);
  bool add(const Local2d &op);
  bool add(const Dense &op);
  bool add(const Matmul &) { return same("MatMul"); }
  bool add(const MaxPool2d &op);
  bool add(const MaxPool2dIndices &op);
  bool add(const MaxUnpool2d &op);
  bool add(const AvgPool2d &op);
  bool add(const GlobalAvgPool2d &) { return same("GlobalAveragePool"); }
  bool add(const Unary &op);
  bool add(const Binary &op);
  bool add(const Where &) { return same("Where"); }
  bool add(const Cast &op);
  bool add(const BatchNorm &op);
  bool add(const Softmax &op);
  bool add(const LogSoftmax &op);
  bool add(const LayerNorm &op);
  bool add(const InstanceNorm &op);
  bool add(const GroupNorm &op);
  bool add(const Lrn &op);
  template <ReduceKind kind> bool add(const Reduce<kind> &op);
  template <bool largest> bool add(const ArgExtreme<largest> &op);
  bool add(const TopK &op);
  bool add(const Concat &op);
  bool add(const Split &op);
  bool add(const Slice &op);
  bool add(const Pad &op);
  bool add(const Reshape &op);
  bool add(const Flatten &op);
  bool add(const Transpose &op);
  bool add(const DepthToSpace &op);
  bool add(const SpaceToDepth &op);
  bool add(const Gather &op);
  bool add(const Resize2d &op);
  bool add(const Expand &op);
  bool add(const Relayout &) { return same("Identity"); }
  bool add(const Call &) { return false; }
  // Sources of constants are initializers, not nodes.
  bool add(const Weight &) { return false; }
  bool add(const Splat &) { return false; }
  bool add(const Literal &) { return false; }
  bool add(const Random &) { return false; }

private:
  /// A node from the op's operands to its results.
  onnx::NodeProto &node(const std::string &op) { return builder_.add(op, inputs_, outputs_); }
  bool same(const std::string &op) {
    node(op);
    return true;
  }
  /// A node whose result, of which it returns the name, only this op knows.
  std::string step(const std::string &op, const std::vector<std::string> &inputs,
                   const std::string &suffix) {
    std::string name = builder_.fresh_name(derived(suffix));
    builder_.add(op, inputs, {name});
    return name;
  }
  std::string transposed(const std::string &input, const std::vector<int64_t> &permutation,
                         const std::string &suffix) {
    std::string name = builder_.fresh_name(derived(suffix));
    set_attribute(builder_.add("Transpose", {input}, {name}), "perm", permutation);
    return name;
  }
  std::string derived(const std::string &suffix) const { return outputs_[0] + "." + suffix; }
  std::string integers(const std::string &suffix, const std::vector<int64_t> &values) {
    return builder_.integers(derived(suffix), values);
  }
  const std::vector<int64_t> &shape(size_t operand) const {
    return graph_.type(node_.operands[operand]).shape;
  }
  const std::vector<int64_t> &result_shape() const { return graph_.type(node_.results[0]).shape; }

  std::string padded(const std::array<int64_t, 4> &pad, double value);
  std::array<int64_t, 2> reach(const std::array<int64_t, 4> &pad,
                               const std::array<int64_t, 2> &kernel,
                               const std::array<int64_t, 2> &stride,
                               const std::array<int64_t, 2> &dilation) const;
  std::string local_windows(const Local2d &op);
  bool add_wrapped(const Pad &op);
  bool add_conv_transpose(const ConvTranspose2d &op, const std::vector<std::string> &inputs,
                          const std::string &result);
  bool add_gelu(bool with_tanh);

  NodeBuilder &builder_;
  const Graph &graph_;
  const Node &node_;
  std::vector<std::string> inputs_, outputs_;
};

/// A Pad node around the planes of operand 0.
std::string NodeExport::padded(const std::array<int64_t, 4> &pad, double value) {
  std::string pads = integers("pads", {0, 0, pad[0], pad[1], 0, 0, pad[2], pad[3]});
  std::string fill = builder_.scalar(derived("fill"), DType::f32, value);
  return step("Pad", {inputs_[0], pads, fill}, "padded");
}

/// How much padding after the input the last windows read: 0 or more.
std::array<int64_t, 2> NodeExport::reach(const std::array<int64_t, 4> &pad,
                                         const std::array<int64_t, 2> &kernel,
                                         const std::array<int64_t, 2> &stride,
                                         const std::array<int64_t, 2> &dilation) const {
  std::array<int64_t, 2> result;
  for (size_t i = 0; i < 2; ++i) {
    int64_t last = (result_shape()[2 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
    result[i] = std::max<int64_t>(0, last - pad[i] - shape(0)[2 + i]);
  }
  return result;
}

bool NodeExport::add(const Conv2d &op) {
  onnx::NodeProto &conv = node("Conv");
  set_attribute(conv, "kernel_shape", std::vector<int64_t>{shape(1)[2], shape(1)[3]});
  set_attribute(conv, "strides", list(op.stride));
  set_attribute(conv, "pads", list(op.pad));
  set_attribute(conv, "dilations", list(op.dilation));
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
  set_attribute(conv, "kernel_shape", std::vector<int64_t>{shape(1)[2], shape(1)[3]});
  set_attribute(conv, "strides", list(op.stride));
  set_attribute(conv, "pads", list(op.pad));
  set_attribute(conv, "dilations", list(op.dilation));
  set_attribute(conv, "group", op.groups);
  set_attribute(conv, "output_padding", list(op.output_padding));
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
  set_attribute(node("Gemm"), "transB", int64_t(1));
  return true;
}

/// ceil_mode is spelt as padding after the input, since its meaning has changed between versions of
/// ONNX. ONNX Runtime wants pads smaller than the kernel, which those of dilated windows need not
/// be: then they are a node of their own.
bool NodeExport::add(const MaxPool2d &op) {
  std::array<int64_t, 4> pad = op.pad;
  auto too_large = [&](size_t i) { return pad[i] >= op.kernel[i % 2]; };
  if (op.ceil_mode || too_large(2) || too_large(3)) {
    std::array<int64_t, 2> after = reach(op.pad, op.kernel, op.stride, op.dilation);
    pad = {op.pad[0], op.pad[1], after[0], after[1]};
  }
  if (too_large(0) || too_large(1) || too_large(2) || too_large(3)) {
    inputs_[0] = padded(pad, -std::numeric_limits<double>::infinity());
    pad = {};
  }
  onnx::NodeProto &pool = node("MaxPool");
  set_attribute(pool, "kernel_shape", list(op.kernel));
  set_attribute(pool, "strides", list(op.stride));
  set_attribute(pool, "pads", list(pad));
  set_attribute(pool, "dilations", list(op.dilation));
  return true;
}

/// A Pad of its own would change the indices.
bool NodeExport::add(const MaxPool2dIndices &op) {
  std::array<int64_t, 4> pad = op.pad;
  if (op.ceil_mode) {
    std::array<int64_t, 2> after = reach(op.pad, op.kernel, op.stride, op.dilation);
    pad = {op.pad[0], op.pad[1], after[0], after[1]};
  }
  onnx::NodeProto &pool = node("MaxPool");
  set_attribute(pool, "kernel_shape", list(op.kernel));
  set_attribute(pool, "strides", list(op.stride));
  set_attribute(pool, "pads", list(pad));
  set_attribute(pool, "dilations", list(op.dilation));
  set_attribute(pool, "storage_order", int64_t(op.column_major));
  return true;
}

bool NodeExport::add(const MaxUnpool2d &op) {
  inputs_.push_back(integers("shape", op.shape));
  set_attribute(node("MaxUnpool"), "kernel_shape", std::vector<int64_t>{1, 1});
  return true;
}

/// As for max_pool2d. With count_padding, what ceil_mode adds does not count: the written padding
/// is a node of its own then.
bool NodeExport::add(const AvgPool2d &op) {
  std::array<int64_t, 4> pad = op.pad;
  bool written_fits = !op.ceil_mode && pad[2] < op.kernel[0] && pad[3] < op.kernel[1];
  bool count_padding = op.count_padding;
  if (!written_fits) {
    std::array<int64_t, 2> after = reach(op.pad, op.kernel, op.stride, {1, 1});
    pad = {op.pad[0], op.pad[1], after[0], after[1]};
  }
  if (!written_fits && count_padding) {
    std::array<int64_t, 4> counted = pad;
    for (size_t i = 2; i < 4; ++i)
      counted[i] = std::min(pad[i], op.pad[i]);
    inputs_[0] = padded(counted, 0);
    pad = {0, 0, pad[2] - counted[2], pad[3] - counted[3]};
    count_padding = false;
  }
  onnx::NodeProto &pool = node("AveragePool");
  set_attribute(pool, "kernel_shape", list(op.kernel));
  set_attribute(pool, "strides", list(op.stride));
  set_attribute(pool, "pads", list(pad));
  set_attribute(pool, "count_include_pad", int64_t(count_padding));
  return true;
}

bool NodeExport::add(const Unary &op) {
  auto with_alpha = [&](const std::string &name) {
    set_attribute(node(name), "alpha", op.parameters[0]);
    return true;
  };
  auto scalar = [&](const std::string &suffix, double value) {
    inputs_.push_back(builder_.scalar(derived(suffix), DType::f32, value));
  };
  switch (op.kind) {
  case UnaryKind::relu:
    return same("Relu");
  case UnaryKind::leaky_relu:
    return with_alpha("LeakyRelu");
  case UnaryKind::sigmoid:
    return same("Sigmoid");
  case UnaryKind::tanh:
    return same("Tanh");
  case UnaryKind::clip: // bounds left out would be the largest finite numbers
    scalar("min", op.parameters[0]);
    scalar("max", op.parameters[1]);
    return same("Clip");
  case UnaryKind::hard_sigmoid: {
    onnx::NodeProto &hard = node("HardSigmoid");
    set_attribute(hard, "alpha", op.parameters[0]);
    set_attribute(hard, "beta", op.parameters[1]);
    return true;
  }
  case UnaryKind::hard_swish:
    return same("HardSwish");
  case UnaryKind::silu:
    builder_.add("Mul", {inputs_[0], step("Sigmoid", inputs_, "sigmoid")}, outputs_);
    return true;
  case UnaryKind::elu:
    return with_alpha("Elu");
  case UnaryKind::exp:
    return same("Exp");
  case UnaryKind::sqrt:
    return same("Sqrt");
  case UnaryKind::dropout:
    scalar("ratio", op.parameters[0]);
    return same("Dropout");
  case UnaryKind::abs:
    return same("Abs");
  case UnaryKind::neg:
    return same("Neg");
  case UnaryKind::floor:
    return same("Floor");
  case UnaryKind::ceil:
    return same("Ceil");
  case UnaryKind::round:
    return same("Round");
  case UnaryKind::sign:
    return same("Sign");
  case UnaryKind::log:
    return same("Log");
  case UnaryKind::erf:
    return same("Erf");
  case UnaryKind::reciprocal:
    return same("Reciprocal");
  case UnaryKind::softplus:
    return same("Softplus");
  case UnaryKind::softsign:
    return same("Softsign");
  case UnaryKind::selu: {
    onnx::NodeProto &selu = node("Selu");
    set_attribute(selu, "alpha", op.parameters[0]);
    set_attribute(selu, "gamma", op.parameters[1]);
    return true;
  }
  case UnaryKind::celu:
    return with_alpha("Celu");
  case UnaryKind::gelu:
  case UnaryKind::gelu_tanh:
    return add_gelu(op.kind == UnaryKind::gelu_tanh);
  case UnaryKind::mish: { // Mish is younger than the opset
    std::string softplus = step("Softplus", inputs_, "softplus");
    builder_.add("Mul", {inputs_[0], step("Tanh", {softplus}, "tanh")}, outputs_);
    return true;
  }
  case UnaryKind::thresholded_relu:
    return with_alpha("ThresholdedRelu");
  case UnaryKind::logical_not:
    return same("Not");
  }
  return false;
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
  switch (op.kind) {
  case BinaryKind::add:
    return same("Add");
  case BinaryKind::sub:
    return same("Sub");
  case BinaryKind::mul:
    return same("Mul");
  case BinaryKind::div:
    return same("Div");
  case BinaryKind::min:
    return same("Min");
  case BinaryKind::max:
    return same("Max");
  case BinaryKind::prelu:
    return same("PRelu");
  case BinaryKind::pow:
    return same("Pow");
  case BinaryKind::equal:
    return same("Equal");
  case BinaryKind::less:
    return same("Less");
  case BinaryKind::less_or_equal:
    return same("LessOrEqual");
  case BinaryKind::greater:
    return same("Greater");
  case BinaryKind::greater_or_equal:
    return same("GreaterOrEqual");
  case BinaryKind::logical_and:
    return same("And");
  case BinaryKind::logical_or:
    return same("Or");
  case BinaryKind::logical_xor:
    return same("Xor");
  }
  return false;
}

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

bool NodeExport::add(const TopK &op) {
  inputs_.push_back(integers("k", {op.k}));
  onnx::NodeProto &top = node("TopK");
  set_attribute(top, "axis", op.axis);
  set_attribute(top, "largest", int64_t(op.largest));
  return true;
}

bool NodeExport::add(const Concat &op) {
  set_attribute(node("Concat"), "axis", op.axis);
  return true;
}

bool NodeExport::add(const Split &op) {
  inputs_.push_back(integers("sizes", op.sizes));
  set_attribute(node("Split"), "axis", op.axis);
  return true;
}

bool NodeExport::add(const Slice &op) {
  if (op.starts.empty())
    return same("Identity");
  std::vector<int64_t> axes = op.axes, steps = op.steps;
  for (int64_t axis = 0; op.axes.empty() && axis < int64_t(op.starts.size()); ++axis)
    axes.push_back(axis);
  if (steps.empty())
    steps.assign(op.starts.size(), 1);
  inputs_.push_back(integers("starts", op.starts));
  inputs_.push_back(integers("ends", op.ends));
  inputs_.push_back(integers("axes", axes));
  inputs_.push_back(integers("steps", steps));
  return same("Slice");
}

/// Opset 17 has no mode wrap: the elements are gathered, one dimension after the other.
bool NodeExport::add_wrapped(const Pad &op) {
  std::vector<size_t> padded;
  for (size_t axis = 0; axis < op.before.size(); ++axis)
    if (op.before[axis] > 0 || op.after[axis] > 0)
      padded.push_back(axis);
  if (padded.empty())
    return same("Identity");
  std::string name = inputs_[0];
  for (size_t axis : padded) {
    int64_t size = shape(0)[axis];
    std::vector<int64_t> indices;
    for (int64_t i = -op.before[axis]; i < size + op.after[axis]; ++i)
      indices.push_back((i % size + size) % size);
    std::string gathered =
        axis == padded.back() ? outputs_[0] : builder_.fresh_name(derived("gathered"));
    std::string subscripts = integers("wrapped", indices);
    set_attribute(builder_.add("Gather", {name, subscripts}, {gathered}), "axis",
                  static_cast<int64_t>(axis));
    name = gathered;
  }
  return true;
}

bool NodeExport::add(const Pad &op) {
  if (op.mode == PadMode::wrap)
    return add_wrapped(op);
  std::vector<int64_t> pads = op.before;
  pads.insert(pads.end(), op.after.begin(), op.after.end());
  inputs_.push_back(integers("pads", pads));
  if (op.mode == PadMode::constant) {
    DType dtype = graph_.type(node_.results[0]).dtype;
    inputs_.push_back(builder_.scalar(derived("value"), dtype, op.value));
  }
  set_attribute(node("Pad"), "mode",
                std::string(Words<PadMode>::words[static_cast<size_t>(op.mode)]));
  return true;
}

bool NodeExport::add(const Reshape &op) {
  inputs_.push_back(integers("shape", op.shape));
  return same("Reshape");
}

bool NodeExport::add(const Flatten &op) {
  set_attribute(node("Flatten"), "axis", op.axis);
  return true;
}

/// An empty list of a scalar's dimensions would be no attribute.
bool NodeExport::add(const Transpose &op) {
  if (op.permutation.empty())
    return same("Identity");
  set_attribute(node("Transpose"), "perm", op.permutation);
  return true;
}

/// Blocks that are no squares are spelt as transposes of their six dimensions; a crop is a Slice.
bool NodeExport::add(const DepthToSpace &op) {
  const bool cropped = op.crop != std::array<int64_t, 4>{};
  const bool dcr = op.mode == DepthOrder::dcr;
  const int64_t rows = op.block[0], columns = op.block[1], c = result_shape()[1];
  const int64_t h = shape(0)[2], w = shape(0)[3];
  const std::string whole = cropped ? builder_.fresh_name(derived("whole")) : outputs_[0];
  if (rows == columns) {
    onnx::NodeProto &shuffle = builder_.add("DepthToSpace", inputs_, {whole});
    set_attribute(shuffle, "blocksize", rows);
    set_attribute(shuffle, "mode", std::string(dcr ? "DCR" : "CRD"));
  } else {
    std::vector<int64_t> split = dcr ? std::vector<int64_t>{0, rows, columns, c, h, w}
                                     : std::vector<int64_t>{0, c, rows, columns, h, w};
    std::string parts = step("Reshape", {inputs_[0], integers("blocks", split)}, "parts");
    parts = transposed(parts,
                       dcr ? std::vector<int64_t>{0, 3, 4, 1, 5, 2}
                           : std::vector<int64_t>{0, 1, 4, 2, 5, 3},
                       "pixels");
    builder_.add("Reshape", {parts, integers("planes", {0, c, h * rows, w * columns})}, {whole});
  }
  if (cropped)
    builder_.add("Slice",
                 {whole, integers("starts", {op.crop[0], op.crop[1]}),
                  integers("ends", {h * rows - op.crop[2], w * columns - op.crop[3]}),
                  integers("axes", {2, 3})},
                 outputs_);
  return true;
}

bool NodeExport::add(const SpaceToDepth &op) {
  const int64_t rows = op.block[0], columns = op.block[1], c = shape(0)[1];
  const int64_t h = result_shape()[2], w = result_shape()[3];
  if (rows == columns) {
    set_attribute(node("SpaceToDepth"), "blocksize", rows);
    return true;
  }
  std::string parts =
      step("Reshape", {inputs_[0], integers("blocks", {0, c, h, rows, w, columns})}, "parts");
  parts = transposed(parts, {0, 3, 5, 1, 2, 4}, "pixels");
  builder_.add("Reshape", {parts, integers("planes", {0, rows * columns * c, h, w})}, outputs_);
  return true;
}

bool NodeExport::add(const Cast &op) {
  set_attribute(node("Cast"), "to", static_cast<int64_t>(onnx_type(op.dtype())));
  return true;
}

bool NodeExport::add(const Gather &op) {
  set_attribute(node("Gather"), "axis", op.axis);
  return true;
}

/// Either sizes or scales: those that the formulas use. half_pixel_symmetric is younger than the
/// opset; without scales it is half_pixel.
bool NodeExport::add(const Resize2d &op) {
  auto word = []<class T>(T value) {
    return std::string(Words<T>::words[static_cast<size_t>(value)]);
  };
  ResizeCoordinates coordinates = op.coordinates;
  if (coordinates == ResizeCoordinates::half_pixel_symmetric && op.scales.empty())
    coordinates = ResizeCoordinates::half_pixel;
  if (coordinates == ResizeCoordinates::half_pixel_symmetric)
    return false;
  const bool crops = coordinates == ResizeCoordinates::tf_crop_and_resize;
  inputs_.push_back(crops ? builder_.numbers(derived("roi"), op.roi) : "");
  std::vector<double> scales = op.scales;
  if (scales.empty() && graph_.type(node_.results[0]).has_symbolic_batch())
    for (size_t i = 0; i < 2; ++i) // sizes would have to say that of the batch
      scales.push_back(static_cast<double>(op.sizes[i]) / static_cast<double>(shape(0)[2 + i]));
  if (scales.empty()) {
    inputs_.push_back("");
    inputs_.push_back(integers("sizes", result_shape()));
  } else {
    inputs_.push_back(builder_.numbers(derived("scales"), {1, 1, scales[0], scales[1]}));
  }
  onnx::NodeProto &resize = node("Resize");
  set_attribute(resize, "mode", word(op.mode));
  set_attribute(resize, "coordinate_transformation_mode", word(coordinates));
  set_attribute(resize, "nearest_mode", word(op.nearest));
  set_attribute(resize, "cubic_coeff_a", op.cubic_coeff_a);
  set_attribute(resize, "exclude_outside", int64_t(op.exclude_outside));
  set_attribute(resize, "extrapolation_value", op.extrapolation_value);
  return true;
}

/// The shape of the result would not do: it may hold a symbolic batch.
bool NodeExport::add(const Expand &op) {
  inputs_.push_back(integers("shape", op.shape));
  return same("Expand");
}

} // namespace

bool add_onnx_nodes(NodeBuilder &builder, const Graph &graph, const Node &node) {
  NodeExport exported(builder, graph, node);
  return std::visit([&](const auto &op) { return exported.add(op); }, node.op);
}

} // namespace cnnc
