// The types of a model's inputs: what the file says, and what --shape adds to it.
#pragma once

#include "compiler/onnx/import/importer.h"

namespace cnnc {

class InputShapes {
public:
  /// `inputs` are those that are no initializers.
  InputShapes(std::vector<const onnx::ValueInfoProto *> inputs, const ImportOptions &options,
              Importer &importer)
      : inputs_(std::move(inputs)), options_(options), importer_(importer) {}

  /// Takes ImportOptions::shapes apart. False after an error.
  bool read_options();
  /// The type of an input; empty after an error, as when dimensions are not known.
  std::optional<TensorType> type_of(const onnx::ValueInfoProto &input);

private:
  struct Shape {
    std::vector<int64_t> dims;
    std::string batch_name; // of a symbolic first dimension
  };
  bool read_option(const std::string &option);
  std::optional<Shape> parse_dims(std::string_view text);
  std::optional<Shape> shape_in_file(const onnx::ValueInfoProto &input);
  bool fits(const Shape &stated, const onnx::ValueInfoProto &input);
  bool fail(const onnx::ValueInfoProto &input, std::string message);

  std::vector<const onnx::ValueInfoProto *> inputs_;
  const ImportOptions &options_;
  Importer &importer_;
  std::map<std::string, Shape> stated_;
};

/// Compares what nodes compute with the shapes that the file states beside them (value_info). Many
/// files have stale ones, which do no harm: a remark names the first that differs.
class StatedShapes {
public:
  StatedShapes(const onnx::GraphProto &graph, Importer &importer);

  void check(const onnx::NodeProto &node, const std::string &output, const TensorType &type);
  void remark() const;

private:
  Importer &importer_;
  std::unordered_map<std::string, const onnx::ValueInfoProto *> stated_;
  std::string first_; // that differs
  size_t different_ = 0;
};

/// Compares an output of the graph with what the file says of it; a remark when they differ.
void check_output(const onnx::ValueInfoProto &output, const TensorType &type, Importer &importer);

} // namespace cnnc
