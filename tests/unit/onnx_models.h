// ONNX files made by tests, and what the importer makes of them.
#pragma once

#include "compiler/api/session.h"
#include "compiler/cnnc.h"
#include "ir/graph/printer.h"
#include "test_models.h"

#include <numeric>
#include <onnx/onnx_pb.h>

namespace cnnc {

/// A model of one graph, built up by a test.
class OnnxBuilder {
public:
  explicit OnnxBuilder(int64_t opset = 17, int64_t ir_version = 8) {
    model.set_ir_version(ir_version);
    model.add_opset_import()->set_version(opset);
    graph().set_name("test");
  }

  onnx::GraphProto &graph() { return *model.mutable_graph(); }

  /// An input of type FLOAT; a dimension of -1 is `batch`, one of -2 has neither name nor size.
  onnx::ValueInfoProto &input(const std::string &name, const std::vector<int64_t> &dims,
                              int32_t type = onnx::TensorProto::FLOAT) {
    onnx::ValueInfoProto &info = *graph().add_input();
    info.set_name(name);
    onnx::TypeProto::Tensor &tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (int64_t dim : dims) {
      onnx::TensorShapeProto::Dimension &added = *tensor.mutable_shape()->add_dim();
      if (dim >= 0)
        added.set_dim_value(dim);
      else if (dim == -1)
        added.set_dim_param("batch");
    }
    return info;
  }

  void output(const std::string &name, int32_t type = onnx::TensorProto::FLOAT) {
    onnx::ValueInfoProto &info = *graph().add_output();
    info.set_name(name);
    info.mutable_type()->mutable_tensor_type()->set_elem_type(type);
  }

  onnx::TensorProto &weight(const std::string &name, const std::vector<int64_t> &dims,
                            const std::vector<float> &values) {
    onnx::TensorProto &tensor = *graph().add_initializer();
    fill(tensor, name, dims, values);
    return tensor;
  }
  onnx::TensorProto &integers(const std::string &name, const std::vector<int64_t> &values) {
    onnx::TensorProto &tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<int64_t>(values.size()));
    for (int64_t value : values)
      tensor.add_int64_data(value);
    return tensor;
  }

  onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs) {
    onnx::NodeProto &node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(op + "_" + std::to_string(graph().node_size()));
    for (const std::string &input : inputs)
      node.add_input(input);
    for (const std::string &output : outputs)
      node.add_output(output);
    return node;
  }

  static void fill(onnx::TensorProto &tensor, const std::string &name,
                   const std::vector<int64_t> &dims, const std::vector<float> &values) {
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t dim : dims)
      tensor.add_dims(dim);
    tensor.set_raw_data(
        std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)));
  }

  std::string bytes() const { return model.SerializeAsString(); }

  onnx::ModelProto model;
};

inline onnx::AttributeProto &attribute(onnx::NodeProto &node, const std::string &name,
                                       onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto &result = *node.add_attribute();
  result.set_name(name);
  result.set_type(type);
  return result;
}

inline void set(onnx::NodeProto &node, const std::string &name, int64_t value) {
  attribute(node, name, onnx::AttributeProto::INT).set_i(value);
}
inline void set(onnx::NodeProto &node, const std::string &name, int value) {
  set(node, name, int64_t(value));
}
inline void set(onnx::NodeProto &node, const std::string &name, float value) {
  attribute(node, name, onnx::AttributeProto::FLOAT).set_f(value);
}
inline void set(onnx::NodeProto &node, const std::string &name, const std::string &value) {
  attribute(node, name, onnx::AttributeProto::STRING).set_s(value);
}
inline void set(onnx::NodeProto &node, const std::string &name,
                const std::vector<int64_t> &values) {
  onnx::AttributeProto &list = attribute(node, name, onnx::AttributeProto::INTS);
  for (int64_t value : values)
    list.add_ints(value);
}
inline void set(onnx::NodeProto &node, const std::string &name, const std::vector<float> &values) {
  onnx::AttributeProto &list = attribute(node, name, onnx::AttributeProto::FLOATS);
  for (float value : values)
    list.add_floats(value);
}

/// The error of a model that must not be read; a failure of the test when it is.
inline std::string import_error(const std::string &bytes, const LoadOptions &options = {}) {
  Result<Model> model = load_onnx(bytes, "model.onnx", options);
  EXPECT_FALSE(model);
  return std::string(model.error());
}

/// The text of the only model, as it was imported.
inline std::string imported_text(const std::string &bytes, const LoadOptions &options = {}) {
  Result<Model> model = load_onnx(bytes, "<model>", options);
  EXPECT_TRUE(model) << model.error();
  return model ? to_string(model->content().module.models.front()) : "";
}

/// The outputs of an imported model in the reference interpreter.
inline std::vector<Tensor> run_imported(const Model &model, const std::vector<Tensor> &inputs) {
  const Graph &graph = model.content().module.models.front();
  Diagnostics diagnostics;
  std::optional<Constants> constants = open_constants(model.content(), graph, {}, diagnostics);
  std::optional<std::vector<Tensor>> outputs =
      constants ? interpret(graph, inputs, constants->provider(graph), diagnostics) : std::nullopt;
  EXPECT_TRUE(outputs) << diagnostics.to_string();
  return outputs.value_or(std::vector<Tensor>());
}

inline std::vector<Tensor> run_imported(const std::string &bytes, const std::vector<Tensor> &inputs,
                                        const LoadOptions &options = {}) {
  Result<Model> model = load_onnx(bytes, "<model>", options);
  EXPECT_TRUE(model) << model.error();
  return model ? run_imported(*model, inputs) : std::vector<Tensor>();
}

/// `first` and what follows it.
inline Tensor ramp(const std::vector<int64_t> &shape, float first = 1) {
  std::vector<float> values(static_cast<size_t>(*element_count(shape)));
  std::iota(values.begin(), values.end(), first);
  return tensor_of(shape, values);
}

/// The numbers of the first output.
inline std::vector<float> numbers(const std::vector<Tensor> &outputs) {
  if (outputs.empty())
    return {};
  std::span<const float> floats = outputs.front().floats();
  return {floats.begin(), floats.end()};
}

} // namespace cnnc
