// The graph of one model: SSA values over tensor ops, and kernels, which are groups of ops that
// become one loop nest each.
#pragma once

#include "ir/graph/op.h"
#include "ir/text/schedule.h"

namespace cnnc {

using ValueId = uint32_t;
using NodeId = uint32_t;
using KernelId = uint32_t;
inline constexpr uint32_t no_id = ~uint32_t(0);

struct Value {
  std::string name;
  std::optional<TensorType> type; // empty until infer_shapes, unless the text states it
  NodeId producer = no_id;        // no_id: an input of the model
  std::optional<int64_t> offset;  // byte offset in the workspace, by plan_memory
  SourceRange range;              // where the text defines it
};

struct Node {
  Op op;
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  KernelId kernel = no_id;

  // Positions in the text; empty for nodes that passes made.
  SourceRange range; // of the op's name
  std::vector<SourceRange> operand_ranges;
  std::vector<std::pair<std::string, SourceRange>> attribute_ranges;
};

/// A group of ops that one loop nest computes. Its members carry its id.
struct KernelGroup {
  std::string name;
  Schedule schedule;
  SourceRange range;
};

class Graph {
public:
  std::string name;
  std::string weights_file; // `weights="file"` after the parameters; empty: beside the model
  std::vector<Value> values;
  std::vector<Node> nodes; // in the order of the text; operands are defined before their users
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<SourceRange> output_ranges;
  std::vector<KernelGroup> kernels;
  SourceRange range;

  Value &value(ValueId id) { return values[id]; }
  const Value &value(ValueId id) const { return values[id]; }
  /// Type of a value after infer_shapes.
  const TensorType &type(ValueId id) const { return *values[id].type; }

  std::optional<ValueId> find_value(std::string_view value_name) const;
  /// `base`, or base.1, base.2 ... when taken.
  std::string unique_value_name(std::string_view base) const;

  ValueId add_value(std::string value_name, std::optional<TensorType> type);
  /// Appends a node with one result. Call sort() before anybody relies on the order.
  ValueId add_node(Op op, std::vector<ValueId> operands, std::string result_name, TensorType type);

  /// Makes every use of `from`, as operand or output of the model, a use of `to`.
  void replace_uses(ValueId from, ValueId to);

  /// Nodes that read each value, and whether it is an output of the model.
  std::vector<std::vector<NodeId>> users() const;
  bool is_output(ValueId id) const;
  bool is_input(ValueId id) const { return values[id].producer == no_id; }

  /// For each value: computed from constants alone, outside of the kernels, hence at compile time.
  std::vector<bool> constant_values() const;

  /// Orders the nodes so that operands come before their users and kernels stay together, keeping
  /// the present order where it is free. False when there is a cycle (of ops, or of kernels: a
  /// kernel that is not convex), then `cycle` names a node of it.
  bool sort(NodeId *cycle = nullptr);

  /// Removes the nodes for which `dead` is true, the values they define, values without any node,
  /// and kernels without members. Ids change.
  void erase_nodes(const std::vector<bool> &dead);
};

/// Operands and results of a kernel: values that cross its border, in order of first use /
/// definition.
struct KernelInterface {
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
};
KernelInterface interface_of(const Graph &graph, KernelId kernel);
/// The members of every kernel, in order.
std::vector<std::vector<NodeId>> kernel_members(const Graph &graph);

/// The context that `infer` needs for a node, made from the types of its operands. The operands
/// must have types.
InferContext infer_context(const Graph &graph, const Node &node, Diagnostics &diagnostics);

} // namespace cnnc
