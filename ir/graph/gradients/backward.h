// What the rule of an op for its gradients sees and does. Reverse-mode differentiation (Linnainmaa
// 1970; Griewank and Walther 2008): with the gradients of its results, by which the scalar that is
// minimised changes with them, an op gives those of its operands, in terms of other ops.
#pragma once

#include "ir/graph/gradients/term.h"

#include <set>

namespace cnnc {

/// What the gradient of a value is called.
std::string gradient_name(const Graph &graph, ValueId value);

/// The gradients of all values that have been found so far.
class Gradients {
public:
  /// All values that the graph has are those of the forward pass.
  explicit Gradients(Graph &graph)
      : graph_(graph), first_made_(static_cast<ValueId>(graph.values.size())) {}

  std::optional<ValueId> find(ValueId value) const;
  /// Adds to what is known of a value. The sum gets the value's gradient_name(), unless it is
  /// another value's gradient, too, and named after that.
  void add(ValueId value, ValueId gradient);
  /// From now on `to` stands for `from`.
  void replace(ValueId from, ValueId to);

private:
  Graph &graph_;
  ValueId first_made_;
  std::vector<ValueId> gradients_; // of each value; no_id: none yet
  std::set<ValueId> named_;
};

/// One op on the way back.
class Backward {
public:
  /// `wanted` says of every value that the graph had whether its gradient is asked for.
  Backward(Graph &graph, NodeId node, Gradients &gradients, const std::vector<bool> &wanted,
           Diagnostics &diagnostics)
      : graph_(graph), node_(node), gradients_(gradients), wanted_(wanted),
        diagnostics_(diagnostics) {}

  size_t operand_count() const { return graph_.nodes[node_].operands.size(); }
  size_t result_count() const { return graph_.nodes[node_].results.size(); }
  Term operand(size_t index) const { return {graph_, graph_.nodes[node_].operands[index]}; }
  Term result(size_t index = 0) const { return {graph_, graph_.nodes[node_].results[index]}; }

  /// Whether the operand is there and its gradient matters.
  bool wants(size_t operand) const;
  /// Whether anything depends on the result.
  bool has_gradient(size_t result = 0) const;
  /// The gradient of a result; zeros where nothing depends on it.
  Term gradient(size_t result = 0) const;

  /// The gradient of an operand, of its shape. What other users of the operand give is added.
  void give(size_t operand, const Term &gradient);
  /// The same, summed over the dimensions along which the op broadcasts the operand.
  void give_summed(size_t operand, const Term &gradient);

  /// Uses `value` in place of a result everywhere, under its name: the op computes more than it did.
  void replace_result(size_t result, const Term &value);

  /// Names a value after the first result and what it is of it.
  void name(const Term &value, std::string_view what);

  /// Reports at the op that there is no rule: what is asked for depends on it.
  void no_rule(std::string_view why);

private:
  Graph &graph_;
  NodeId node_;
  Gradients &gradients_;
  const std::vector<bool> &wanted_;
  Diagnostics &diagnostics_;
};

} // namespace cnnc
