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
  std::unordered_map<std::string, NodeId> known;
  std::vector<bool> dead(graph.nodes.size(), false);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (has_place(graph, node))
      continue;
    auto [first, inserted] = known.try_emplace(key_of(graph, node), id);
    if (!inserted)
      dead[id] = merge(graph, graph.nodes[first->second], node);
  }
  graph.erase_nodes(dead);
  return true;
}

} // namespace cnnc
