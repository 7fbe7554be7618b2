#include "compiler/onnx/export/node_builder.h"

#include "compiler/reference/compute.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

void describe_tensor(onnx::TensorProto &tensor, const std::string &name, const TensorType &type) {
  tensor.set_name(name);
  tensor.set_data_type(info_of(type.dtype).onnx);
  for (int64_t dim : type.shape)
    tensor.add_dims(dim);
}

NodeBuilder::NodeBuilder(const Graph &graph, onnx::GraphProto &onnx_graph) : graph_(onnx_graph) {
  for (const Value &value : graph.values)
    names_.insert(value.name);
}

std::string NodeBuilder::fresh_name(const std::string &base) {
  std::string name = base;
  for (int i = 1; !names_.insert(name).second; ++i)
    name = fmt::format("{}.{}", base, i);
  return name;
}

onnx::NodeProto &NodeBuilder::add(const std::string &op, const std::vector<std::string> &inputs,
                                  const std::vector<std::string> &outputs) {
  onnx::NodeProto &node = *graph_.add_node();
  node.set_name(outputs.front());
  node.set_op_type(op);
  for (const std::string &input : inputs)
    node.add_input(input);
  for (const std::string &output : outputs)
    node.add_output(output);
  return node;
}

std::string NodeBuilder::constant(const std::string &base, const TensorType &type,
                                  std::string elements) {
  onnx::TensorProto &tensor = *graph_.add_initializer();
  std::string name = fresh_name(base);
  describe_tensor(tensor, name, type);
  tensor.set_raw_data(std::move(elements));
  return name;
}

std::string NodeBuilder::integers(const std::string &base, const std::vector<int64_t> &values,
                                  const std::vector<int64_t> &shape) {
  std::string elements(reinterpret_cast<const char *>(values.data()),
                       values.size() * sizeof(int64_t));
  return constant(base, {DType::i64, shape}, std::move(elements));
}

std::string NodeBuilder::integers(const std::string &base, const std::vector<int64_t> &values) {
  return integers(base, values, {static_cast<int64_t>(values.size())});
}

std::string NodeBuilder::scalar(const std::string &base, DType dtype, double value) {
  return filled(base, {dtype, {}}, value);
}

std::string NodeBuilder::filled(const std::string &base, const TensorType &type, double value) {
  Tensor tensor = reference::compute(Splat{value}, {}, {type}).front();
  std::span<const std::byte> bytes = tensor.bytes();
  return constant(base, type, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

std::string NodeBuilder::numbers(const std::string &base, const std::vector<double> &values) {
  std::vector<float> floats(values.begin(), values.end());
  std::string elements(reinterpret_cast<const char *>(floats.data()),
                       floats.size() * sizeof(float));
  return constant(base, {DType::f32, {static_cast<int64_t>(values.size())}}, std::move(elements));
}

namespace {

onnx::AttributeProto &add_attribute(onnx::NodeProto &node, const std::string &name,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

} // namespace

void set_attribute(onnx::NodeProto &node, const std::string &name, int64_t value) {
  add_attribute(node, name, onnx::AttributeProto::INT).set_i(value);
}

void set_attribute(onnx::NodeProto &node, const std::string &name, double value) {
  add_attribute(node, name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(value));
}

void set_attribute(onnx::NodeProto &node, const std::string &name, const std::string &value) {
  add_attribute(node, name, onnx::AttributeProto::STRING).set_s(value);
}

void set_attribute(onnx::NodeProto &node, const std::string &name,
                   const std::vector<int64_t> &values) {
  onnx::AttributeProto &attribute = add_attribute(node, name, onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attribute.add_ints(value);
}

} // namespace cnnc
