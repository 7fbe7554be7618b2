// Nodes and small constants of an ONNX graph, under names that nothing else in it has.
#pragma once

#include "ir/graph/graph.h"

#include <set>

namespace onnx {
class GraphProto;
class NodeProto;
class TensorProto;
} // namespace onnx

namespace cnnc {

/// What is exported.
inline constexpr int64_t onnx_opset = 17;

/// Name, element type and shape of a tensor; its elements are still to come.
void describe_tensor(onnx::TensorProto &tensor, const std::string &name, const TensorType &type);

class NodeBuilder {
public:
  /// `onnx_graph` gets the nodes; the names of all values of `graph` are taken. Both must outlive
  /// the builder.
  NodeBuilder(const Graph &graph, onnx::GraphProto &onnx_graph);

  /// `base`, or base.1, base.2 ... when taken; it is taken then.
  std::string fresh_name(const std::string &base);

  /// A node named like its first output. It stays valid until the next one is added.
  onnx::NodeProto &add(const std::string &op, const std::vector<std::string> &inputs,
                       const std::vector<std::string> &outputs);

  /// Small constants: the name under which nodes read them, made of `base`.
  std::string integers(const std::string &base, const std::vector<int64_t> &values);
  std::string integers(const std::string &base, const std::vector<int64_t> &values,
                       const std::vector<int64_t> &shape);
  std::string scalar(const std::string &base, DType dtype, double value);
  /// All elements alike.
  std::string filled(const std::string &base, const TensorType &type, double value);
  std::string numbers(const std::string &base, const std::vector<double> &values); // f32

private:
  std::string constant(const std::string &base, const TensorType &type, std::string elements);

  onnx::GraphProto &graph_;
  std::set<std::string> names_;
};

void set_attribute(onnx::NodeProto &node, const std::string &name, int64_t value);
void set_attribute(onnx::NodeProto &node, const std::string &name, double value); // stored as f32
void set_attribute(onnx::NodeProto &node, const std::string &name, const std::string &value);
void set_attribute(onnx::NodeProto &node, const std::string &name,
                   const std::vector<int64_t> &values);

} // namespace cnnc
