// The state of an import: the graph that is being built, and what is known of every ONNX value.
#pragma once

#include "compiler/constants/constants.h"
#include "compiler/onnx/import/import.h"
#include "compiler/onnx/import/known_values.h"
#include "compiler/onnx/import/tensors.h"
#include "compiler/onnx/import/value_names.h"
#include "ir/graph/graph.h"

#include <unordered_map>
#include <unordered_set>

namespace onnx {
class GraphProto;
class NodeProto;
class ValueInfoProto;
} // namespace onnx

namespace cnnc {

/// A value of the ONNX file. At least one of `id`, `fixed` and `stored` is set, unless `failed`.
struct OnnxValue {
  std::string name = {}; // the first that it has in the file; others are aliases (Identity)
  TensorType type = {};
  ValueId id = no_id; // in the graph; constants get one when an op needs them as a tensor
  std::shared_ptr<const FixedTensor> fixed = {}; // elements that are known now, if few
  SafetensorsTensor stored = {};                 // a constant of the file; no dtype: none
  bool failed = false;                           // could not be imported, which has been reported
};

using Attributes = std::vector<std::pair<std::string_view, AttributeValue>>;

/// A node that is being added to the graph.
struct NewNode {
  std::string_view op; // by its name in the text
  std::vector<ValueId> operands;
  Attributes attributes;
};

class OnnxNode;

class Importer {
public:
  /// `file` is the model's name in messages, and names the graph.
  Importer(TensorReader reader, std::string file, const ImportOptions &options,
           Diagnostics &diagnostics);

  /// Imports the whole model. False after an error.
  bool run();
  /// After run(); the tensors are those of the graph's weights.
  Graph take_graph() { return std::move(graph_); }
  std::shared_ptr<const NamedTensors> take_tensors(const Graph &graph);

  Graph &graph() { return graph_; }
  Diagnostics &diagnostics() { return diagnostics_; }
  int64_t opset() const { return opset_; }
  const onnx::ModelProto &model() const { return *reader_.messages().model; }
  /// Tells the user, once.
  void remark(const std::string &text);
  /// A position in this file: "node 'conv1' (Conv)".
  SourceRange part(std::string text) const;
  /// How the user gives the batch a size: "fix it with --shape x=1x3x224x224".
  std::string advice_to_fix_batch() const;

  /// The value of this name; null when nothing defines it.
  OnnxValue *find(const std::string &name);
  void define(const std::string &name, OnnxValue value);
  /// Lets another name stand for a value that is defined.
  void define_alias(const std::string &name, const std::string &of);
  /// Elements that are known now: of at most `most` elements. Null when they are not.
  const FixedTensor *fixed(OnnxValue &value, size_t most);
  /// The value as a tensor of the graph; a constant gets the name that it has in the file.
  ValueId tensor(OnnxValue &value, const SourceRange &range);
  /// Whether a node that was imported has defined every output that is read; an error if not.
  bool has_computed_outputs(OnnxNode &node, const onnx::NodeProto &proto);
  /// Imports the nodes of a graph that its outputs need. Values that could not be imported are
  /// marked as failed; false when even the order makes no sense.
  bool import_nodes(const onnx::GraphProto &graph);
  /// The same for the graph of a branch, which sees all values that are known here, and whose
  /// values are known here from then on.
  bool import_branch(const onnx::GraphProto &graph);
  /// A constant of the file; failed after an error.
  OnnxValue constant(const onnx::TensorProto &tensor, const SourceRange &range);

  /// Adds a node whose results are named after `base`. Empty after an error.
  std::vector<ValueId> add(const NewNode &node, const std::string &base, const SourceRange &range,
                           const std::vector<SourceRange> &operand_ranges = {});
  /// A splat, literal or weight.
  ValueId add_constant(Op op, const TensorType &type, const std::string &name,
                       const SourceRange &range);
  /// Elements that the import has computed, under this name.
  ValueId add_fixed(const FixedTensor &fixed, const std::string &name, const SourceRange &range);
  Names &names() { return names_; }
  /// Does an output of the model, or any node that they need, read the value of this name?
  bool is_read(const std::string &name) const { return read_.contains(name); }

private:
  bool read_model();
  bool read_names(const onnx::GraphProto &graph);
  bool read_inputs(const onnx::GraphProto &graph);
  void read_outputs(const onnx::GraphProto &graph);
  /// The same elements as another value.
  ValueId add_copy(ValueId id, const std::string &base, const SourceRange &range);
  ValueId add_weight(SafetensorsTensor stored, const TensorType &type, const SourceRange &range);

  TensorReader reader_;
  const std::string file_;
  const ImportOptions &options_;
  Diagnostics &diagnostics_;
  Graph graph_;
  Names names_;
  int64_t opset_ = 0;
  std::unordered_set<std::string> told_; // remarks
  std::unordered_map<std::string, const onnx::TensorProto *> initializers_;
  std::unordered_map<std::string, std::shared_ptr<OnnxValue>> values_;
  std::unordered_set<std::string> read_; // names that nodes read, and of outputs of the model
  std::unordered_map<std::string, SafetensorsTensor> weights_; // of the graph, by name
  std::deque<std::vector<std::byte>> made_; // elements of weights that the import computed
};

/// The domain of the ops in the ONNX standard.
bool is_standard_domain(const std::string &domain);

} // namespace cnnc
