// One op of a graph while it is exported: a function for each op, in this folder by family.
#pragma once

#include "compiler/onnx/export/node_builder.h"
#include "ir/graph/graph.h"

namespace cnnc {

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
  bool add(const Matmul &) { return same(is_float(dtype()) ? "MatMul" : "MatMulInteger"); }
  bool add(const MaxPool2d &op);
  bool add(const MaxPool2dIndices &op);
  bool add(const MaxUnpool2d &op);
  bool add(const AvgPool2d &op);
  bool add(const GlobalAvgPool2d &op);
  bool add(const Unary &op);
  bool add(const Binary &op);
  bool add(const Where &) { return same("Where"); }
  bool add(const Cast &op);
  bool add(const Quantize &op);
  bool add(const Dequantize &op);
  bool add(const Lookup &);
  bool add(const BatchNorm &op);
  bool add(const Softmax &op);
  bool add(const LogSoftmax &op);
  bool add(const Hardmax &op);
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
  bool add(const OfCategory<Category::training, Category::loss> auto &) { return false; }
  // Sources of constants are initializers, not nodes.
  bool add(const OfCategory<Category::constant> auto &) { return false; }

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
  DType dtype() const { return graph_.type(node_.operands[0]).dtype; } // of operand 0
  const std::vector<int64_t> &result_shape() const { return graph_.type(node_.results[0]).shape; }

  /// Operand 0 with a border around its planes, by a node of its own.
  std::string padded(const std::array<int64_t, 4> &pad, double value, DType dtype = DType::f32);
  /// The attributes of a window.
  static void set_window(onnx::NodeProto &node, const std::array<int64_t, 2> &kernel,
                         const std::array<int64_t, 2> &stride, const std::array<int64_t, 4> &pad,
                         const std::optional<std::array<int64_t, 2>> &dilation = {});
  std::array<int64_t, 4> padding_read(const std::array<int64_t, 4> &pad,
                                      const std::array<int64_t, 2> &kernel,
                                      const std::array<int64_t, 2> &stride,
                                      const std::array<int64_t, 2> &dilation) const;
  std::string local_windows(const Local2d &op);
  bool add_wrapped(const Pad &op);
  bool add_conv_transpose(const ConvTranspose2d &op, const std::vector<std::string> &inputs,
                          const std::string &result);
  bool expand_into_ops(const Unary &op);
  template <class Op> bool add_quantization(const Op &op, const char *name, DType type);
  void subtract_zero_point(const Dequantize &op);
  bool add_conv_integer(const Conv2d &op);
  bool add_matmul_integer();
  std::string sums_name();
  bool add_bias(const std::string &sums, const std::vector<int64_t> &shape);
  void read_as_floats();
  bool add_gelu(bool with_tanh);

  NodeBuilder &builder_;
  const Graph &graph_;
  const Node &node_;
  std::vector<std::string> inputs_, outputs_;
};

} // namespace cnnc
