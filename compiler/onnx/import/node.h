// One ONNX node while it is imported: its inputs, attributes and version, and the ops that it
// becomes.
#pragma once

#include "compiler/onnx/import/importer.h"

#include <set>

namespace onnx {
class AttributeProto;
} // namespace onnx

namespace cnnc {

class OnnxNode {
public:
  OnnxNode(Importer &importer, const onnx::NodeProto &node);

  const std::string &op() const;
  const std::string &domain() const;
  int64_t opset() const { return importer_.opset(); }
  Importer &importer() { return importer_; }
  /// Reports; always false.
  bool fail(std::string message);
  const SourceRange &range() const { return range_; }

  size_t input_count() const;
  size_t output_count() const;
  /// Inputs may be left out at the end or have an empty name.
  bool has(size_t input) const;
  /// Is this output there? Its name may be empty.
  bool has_output(size_t output) const;
  /// Does anybody read this output?
  bool wants(size_t output) const;
  const TensorType &type(size_t input) { return value(input).type; }
  const std::vector<int64_t> &shape(size_t input) { return type(input).shape; }
  size_t rank(size_t input) { return shape(input).size(); }
  /// Is an input that has failed among them?
  bool has_failed_input();
  /// False after an error when inputs before `least` are missing, or there are more than `most`.
  bool require_inputs(size_t least, size_t most);
  bool require_rank(size_t input, size_t rank, std::string_view meaning);

  /// The input as a tensor of the graph.
  ValueId operand(size_t input);
  /// The input's elements when they are known; null when not, or when they are too many.
  const FixedTensor *fixed(size_t input);
  /// Is the input computed from constants alone?
  bool is_constant(size_t input);
  /// All inputs that are there have known elements, and none has so many floats that they are
  /// weights.
  bool foldable();
  /// The input's elements; reports when they are not known.
  const FixedTensor *known(size_t input, std::string_view meaning);
  /// The input's elements, which must be known integers without a symbolic batch; reports
  /// otherwise.
  std::optional<std::vector<int64_t>> known_integers(size_t input, std::string_view meaning);
  /// The same where the size of a symbolic batch may be among them, as batch_marker.
  std::optional<std::vector<int64_t>> known_shape(size_t input, std::string_view meaning);
  std::optional<std::vector<double>> known_numbers(size_t input, std::string_view meaning);

  bool has_attribute(std::string_view name) const;
  int64_t integer(std::string_view name, int64_t default_value);
  double number(std::string_view name, double default_value);
  std::string word(std::string_view name, std::string default_value);
  /// Empty when the node does not have it.
  std::optional<std::vector<int64_t>> integers(std::string_view name);
  std::optional<std::vector<double>> numbers(std::string_view name);
  const onnx::TensorProto *tensor(std::string_view name);
  const onnx::GraphProto *graph(std::string_view name);
  /// An attribute that changes nothing at inference.
  void ignore(std::string_view name) { read_.insert(std::string(name)); }
  /// Reports attributes that nobody has read: they would change what the node means.
  bool check_attributes();
  /// An attribute had another type than was asked for; it has been reported.
  bool has_wrong_attribute() const { return wrong_attribute_; }

  /// Adds an op to the graph, by its name in the text; no_id after an error, or when an operand is
  /// that already.
  ValueId emit(std::string_view op, std::vector<ValueId> operands, Attributes attributes = {});
  std::vector<ValueId> emit_several(std::string_view op, std::vector<ValueId> operands,
                                    Attributes attributes);
  /// The same for ops that compute with f32 only: operands of integers are converted, and so is the
  /// result, back to the type of the first operand `with_type_of`. Exact up to 2^24.
  ValueId emit_arithmetic(std::string_view op, std::vector<ValueId> operands,
                          Attributes attributes = {}, size_t with_type_of = 0);
  /// The value as f32, and as another type.
  ValueId as_floats(ValueId value) { return converted(value, DType::f32); }
  ValueId converted(ValueId value, DType dtype);
  /// A constant of one number, a scalar that broadcasts.
  ValueId splat(double value, std::vector<int64_t> shape = {}, DType dtype = DType::f32);
  /// A constant of these elements.
  ValueId constant(const FixedTensor &fixed);
  const TensorType &type_of(ValueId id) { return importer_.graph().type(id); }

  /// Says what the node computes.
  bool result(ValueId id, size_t output = 0);
  bool result(FixedTensor fixed, size_t output = 0);
  bool result(const OnnxValue &value, size_t output = 0);
  /// A value of this name, whatever it is; false when it has failed or there is none.
  bool result_is(const std::string &name, size_t output);
  /// The input itself, whatever it is.
  bool pass_through(size_t input);
  void fail_outputs();

private:
  OnnxValue &value(size_t input);
  const onnx::AttributeProto *attribute(std::string_view name, int32_t type);
  const std::string &input_name(size_t input) const;
  const std::string &output_name(size_t output) const;
  const std::string &main_output() const; // the first that has a name

  Importer &importer_;
  const onnx::NodeProto &node_;
  SourceRange range_;
  std::set<std::string, std::less<>> read_;
  std::set<ValueId> named_; // values called like outputs
  bool wrong_attribute_ = false;
  size_t first_new_value_; // of the graph
};

/// Makes a node's outputs known. False after an error.
using NodeImport = bool (*)(OnnxNode &);

} // namespace cnnc
