// The graph of one model: SSA values over tensor ops, and kernels, which are groups of ops that
// become one loop nest each.
#pragma once

#include "ir/graph/op.h"
#include "ir/text/schedule.h"

#include <deque>
#include <unordered_map>
#include <unordered_set>

namespace cnnc {

using ValueId = uint32_t;
using NodeId = uint32_t;
using KernelId = uint32_t;
inline constexpr uint32_t no_id = ~uint32_t(0);

struct Value {
  std::string name;               // changed by Graph::rename() alone
  std::optional<TensorType> type; // empty until infer_shapes, unless the text states it
  NodeId producer = no_id;        // no_id: an input of the model
  std::vector<NodeId> users;      // that read it, in their order, each once; kept by Graph
  bool constant = false; // computed from constants alone, outside of kernels: at compile time
  std::optional<int64_t> offset; // byte offset in the workspace, by plan_memory
  SourceRange range;             // where the text defines it
};

struct Node {
  Op op;
  std::vector<ValueId> operands; // changed by Graph alone, which keeps the users of values
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
  Graph(); // all of these in graph.cpp, once for all files
  Graph(const Graph &);
  Graph(Graph &&) noexcept;
  Graph &operator=(const Graph &);
  Graph &operator=(Graph &&) noexcept;
  ~Graph();

  std::string name;
  std::string weights_file; // `weights="file"` after the parameters; empty: beside the model
  // References to values and nodes stay valid while others are added, up to sort(), erase_nodes().
  std::deque<Value> values;
  std::deque<Node> nodes; // in the order of the text; operands are defined before their users
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  /// For each output the input in whose memory it lies (`return %next in %w`), the state of a
  /// training step: nothing reads that input after the output is written. no_id, or nothing at the
  /// end of the list, for memory of its own.
  std::vector<ValueId> updated;
  std::vector<SourceRange> output_ranges;
  std::vector<KernelGroup> kernels;
  SourceRange range;

  Value &value(ValueId id) { return values[id]; }
  const Value &value(ValueId id) const { return values[id]; }
  /// Type of a value after infer_shapes.
  const TensorType &type(ValueId id) const { return *values[id].type; }

  std::optional<ValueId> find_value(std::string_view value_name) const;
  /// Whether find_value() finds every value, which no two of one name allow.
  bool knows_all_names() const;
  /// `base`, or base.1, base.2 ... when taken.
  std::string unique_value_name(std::string_view base) const;

  ValueId add_value(std::string value_name, std::optional<TensorType> type);
  void rename(ValueId id, std::string value_name);
  void swap_names(ValueId a, ValueId b);
  /// Appends a node. Its results, which are values already, learn their producer and whether they
  /// are constant. Call sort() before anybody relies on the order.
  NodeId append(Node node);
  /// Appends a node with one result, a new value.
  ValueId add_node(Op op, std::vector<ValueId> operands, std::string result_name, TensorType type);

  /// A kernel without members yet. Its name is `base`, or base.1, base.2 ... when taken.
  KernelId add_kernel(std::string_view base);
  /// Puts a node into a new kernel of its own, named after the first result.
  void enclose(NodeId node);

  /// Changes what a node reads. Whether its results are constant follows, as do those of its users.
  void set_operands(NodeId node, std::vector<ValueId> operands);
  void set_operand(NodeId node, size_t index, ValueId operand);
  /// Makes another op of a node, which keeps its results. It has no place in the text any more.
  void redefine(NodeId node, Op op, std::vector<ValueId> operands);
  /// Makes every use of `from`, as operand or output of the model, a use of `to`.
  void replace_uses(ValueId from, ValueId to);

  bool is_output(ValueId id) const;
  /// The input in whose memory an output lies; no_id for memory of its own.
  ValueId updated_by(size_t output) const {
    return output < updated.size() ? updated[output] : no_id;
  }
  bool is_input(ValueId id) const { return values[id].producer == no_id; }
  bool is_constant(ValueId id) const { return values[id].constant; }

  /// Orders the nodes so that operands come before their users and kernels stay together, keeping
  /// the present order where it is free. False when there is a cycle (of ops, or of kernels: a
  /// kernel that is not convex), then `cycle` names a node of it.
  bool sort(NodeId *cycle = nullptr);

  /// Removes the nodes for which `dead` is true, the values they define, values without any node,
  /// and kernels without members. Ids change.
  void erase_nodes(const std::vector<bool> &dead);
  /// erase_nodes() of those whose results never reach an output of the model.
  void erase_dead_nodes();

private:
  void add_user(ValueId value, NodeId user);
  void remove_user(ValueId value, NodeId user);
  /// After nodes have moved.
  void find_users();
  /// After a node's op or operands have changed.
  void update_constant(NodeId node);

  std::unordered_map<std::string, ValueId> ids_; // by name
  std::unordered_set<std::string> kernel_names_; // for add_kernel(), which looks again after others
};

/// Whether the node's results are constant, by those of its operands.
bool computes_constant(const Graph &graph, const Node &node);

/// Operands and results of a kernel: values that cross its border, in order of first use /
/// definition.
struct KernelInterface {
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
};
/// Of every kernel.
std::vector<KernelInterface> kernel_interfaces(const Graph &graph);
/// The members of every kernel, in order.
std::vector<std::vector<NodeId>> kernel_members(const Graph &graph);

/// The context that `infer` needs for a node, made from the types of its operands. The operands
/// must have types. Refers to the graph and the node.
InferContext infer_context(const Graph &graph, const Node &node, Diagnostics &diagnostics);

} // namespace cnnc
