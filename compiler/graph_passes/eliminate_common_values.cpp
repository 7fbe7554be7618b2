// Common subexpression elimination: values of the same op, attributes, operands and result types,
// layout included, are computed once.
//
//   %a = relu %x                     %a = relu %x : f32[1, 8]
//   %b = relu %x                =>   %y = add %a, %a : f32[1, 8]
//   %y = add %a, %b                  return %y
//   return %y
//
// A concat whose first operands are those of an earlier one takes that one, as in DenseNet, whose layers
// read all before them: each element is then written to one place instead of to one for each reader.
//
//   %d = concat %a, %b axis=1             %d = concat %a, %b axis=1 : f32[1, 16, 4, 4]
//   %e = concat %a, %b, %c axis=1    =>   %e = concat %d, %c axis=1 : f32[1, 24, 4, 4]
//
// The first one stays. Two values that are both outputs of the model both stay, for their names.
// Members of kernels are only compared within their kernel, and values with a place in the
// workspace not at all: their lifetime is part of the plan.

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

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

/// Concats outside of kernels, by what they joined before any of them was shortened.
class Joined {
public:
  explicit Joined(Graph &graph) : graph_(graph) {}

  /// Lets an earlier concat stand for as many of the first operands as one has.
  void shorten(NodeId id) {
    const Node &node = graph_.nodes[id];
    const auto *concat = std::get_if<Concat>(&node.op);
    if (!concat || node.kernel != no_id || !graph_.type(node.results[0]).layout.plain())
      return;
    const size_t rank = graph_.type(node.results[0]).rank();
    const std::vector<ValueId> parts = node.operands;
    std::u32string key = {static_cast<char32_t>(*normalized_axis(concat->axis, rank))};
    key.append(parts.begin(), parts.end());
    by_parts_.try_emplace(key, node.results[0]);
    for (size_t count = parts.size() - 1; count > 1; --count) {
      key.pop_back();
      auto earlier = by_parts_.find(key);
      if (earlier == by_parts_.end())
        continue;
      std::vector<ValueId> shorter = {earlier->second};
      shorter.insert(shorter.end(), parts.begin() + static_cast<std::ptrdiff_t>(count),
                     parts.end());
      become(graph_, id, *concat, std::move(shorter));
      return;
    }
  }

private:
  Graph &graph_;
  std::unordered_map<std::u32string, ValueId> by_parts_; // the axis, then the parts
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
  Joined joined(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (has_place(graph, node))
      continue;
    if (NodeId first = known.first_like(id); first != id)
      dead[id] = merge(graph, graph.nodes[first], node);
    if (!dead[id])
      joined.shorten(id);
  }
  graph.erase_nodes(dead);
  return true;
}

} // namespace cnnc
