// Common subexpression elimination: values of the same op, attributes, operands and result types,
// layout included, are computed once.
//
//   %a = relu %x                     %a = relu %x : f32[1, 8]
//   %b = relu %x                =>   %y = add %a, %a : f32[1, 8]
//   %y = add %a, %b                  return %y
//   return %y
//
// The first one stays. Two values that are both outputs of the model both stay, for their names.
// Members of kernels are only compared within their kernel, and values with a place in the
// workspace not at all: their lifetime is part of the plan.

#include "compiler/graph_passes/graph_passes.h"

#include <fmt/format.h>
#include <unordered_map>

namespace cnnc {

namespace {

/// Equal for nodes that compute the same.
std::string key_of(const Graph &graph, const Node &node) {
  const OpInfo &info = info_of(node.op);
  std::string key = info.name;
  for (const AttributeInfo &attribute : info.attributes)
    key += fmt::format(" {}", to_string(attribute.get(node.op)));
  for (ValueId operand : node.operands)
    key += fmt::format(" %{}", operand);
  for (ValueId result : node.results)
    key += " : " + to_string(graph.type(result));
  return key + fmt::format(" in {}", node.kernel);
}

/// The nodes that have been looked at. Few share their op and operands with another one: only these
/// are spelt out, and those without operands.
class Known {
public:
  explicit Known(const Graph &graph) : graph_(graph) {}

  /// The node that computes the same as this one; the node itself when it is the first.
  NodeId first_like(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (node.operands.empty())
      return spelt_.try_emplace(key_of(graph_, node), id).first->second;
    auto [first, inserted] = by_operands_.try_emplace(operands_key(node), id);
    if (inserted)
      return id;
    spelt_.try_emplace(key_of(graph_, graph_.nodes[first->second]), first->second);
    return spelt_.try_emplace(key_of(graph_, node), id).first->second;
  }

private:
  /// The kind of op, the operands and the kernel, as numbers.
  static std::u32string operands_key(const Node &node) {
    std::u32string key = {static_cast<char32_t>(node.op.index()), node.kernel};
    key.append(node.operands.begin(), node.operands.end());
    return key;
  }

  const Graph &graph_;
  std::unordered_map<std::u32string, NodeId> by_operands_; // the first of each
  std::unordered_map<std::string, NodeId> spelt_;          // by key_of()
};

bool has_place(const Graph &graph, const Node &node) {
  for (ValueId result : node.results)
    if (graph.values[result].offset)
      return true;
  return false;
}

/// Lets the results of `kept` stand for those of `node`. False when an output would lose its name.
bool merge(Graph &graph, const Node &kept, const Node &node) {
  for (size_t i = 0; i < node.results.size(); ++i)
    if (graph.is_output(node.results[i]) && graph.is_output(kept.results[i]))
      return false;
  for (size_t i = 0; i < node.results.size(); ++i) {
    ValueId from = node.results[i], to = kept.results[i];
    if (graph.is_output(from))
      graph.swap_names(from, to);
    graph.replace_uses(from, to);
  }
  return true;
}

} // namespace

bool eliminate_common_values(Graph &graph, PassContext &) {
  Known known(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (has_place(graph, node))
      continue;
    if (NodeId first = known.first_like(id); first != id)
      dead[id] = merge(graph, graph.nodes[first], node);
  }
  graph.erase_nodes(dead);
  return true;
}

} // namespace cnnc
