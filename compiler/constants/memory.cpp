#include "compiler/constants/memory.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <set>
#include <unordered_map>

namespace cnnc {

namespace {

/// The constants whose values somebody wants: operands of what is computed at run time, and outputs.
std::set<ValueId> wanted_constants(const Graph &graph) {
  std::set<ValueId> wanted;
  for (const Node &node : graph.nodes)
    if (!graph.is_constant(node.results[0]))
      for (ValueId operand : node.operands)
        if (graph.is_constant(operand))
          wanted.insert(operand);
  for (ValueId output : graph.outputs)
    if (graph.is_constant(output))
      wanted.insert(output);
  return wanted;
}

bool is_weight(const Graph &graph, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  return producer != no_id && std::holds_alternative<Weight>(graph.nodes[producer].op);
}

} // namespace

uint64_t reference_size(const Graph &graph, ValueId id) {
  TensorType type = graph.type(id);
  type.layout = {};
  return static_cast<uint64_t>(byte_size(type).value_or(int64_t(1) << 62));
}

std::optional<Beyond> first_beyond(const Graph &graph, const std::vector<const Node *> &nodes,
                                   std::span<const ValueId> wanted, uint64_t most) {
  std::unordered_map<ValueId, size_t> uses; // to come, of what the nodes compute
  for (const Node *node : nodes)
    for (ValueId result : node->results)
      uses.emplace(result, 0);
  auto count = [&](ValueId id) {
    if (auto computed = uses.find(id); computed != uses.end())
      ++computed->second;
  };
  for (const Node *node : nodes)
    std::ranges::for_each(node->operands, count);
  std::ranges::for_each(wanted, count);
  uint64_t alive = 0;
  for (const Node *node : nodes) {
    uint64_t read = 0; // for this node alone
    for (ValueId operand : node->operands)
      if (!uses.contains(operand) && graph.is_constant(operand) && !is_weight(graph, operand))
        read += reference_size(graph, operand);
    for (ValueId result : node->results) {
      alive += reference_size(graph, result);
      if (alive + read > most)
        return Beyond{result, alive + read};
    }
    for (ValueId operand : node->operands)
      if (auto computed = uses.find(operand); computed != uses.end() && --computed->second == 0)
        alive -= reference_size(graph, operand);
    for (ValueId result : node->results)
      if (uses.at(result) == 0)
        alive -= reference_size(graph, result);
  }
  return std::nullopt;
}

std::vector<const Node *> expression_of(const Graph &graph, ValueId constant) {
  std::set<NodeId> needed;
  std::vector<NodeId> open = {graph.value(constant).producer};
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    assert(id != no_id && "an input is not a constant");
    if (std::holds_alternative<Weight>(graph.nodes[id].op) || !needed.insert(id).second)
      continue;
    for (ValueId operand : graph.nodes[id].operands)
      open.push_back(graph.value(operand).producer);
  }
  std::vector<const Node *> nodes;
  for (NodeId id : needed)
    nodes.push_back(&graph.nodes[id]);
  return nodes;
}

bool check_constant_memory(const Graph &graph, uint64_t most, Diagnostics &diagnostics) {
  std::set<ValueId> reported;
  for (ValueId constant : wanted_constants(graph))
    if (auto beyond = first_beyond(graph, expression_of(graph, constant), {&constant, 1}, most);
        beyond && reported.insert(beyond->value).second) {
      const Value &value = graph.value(beyond->value);
      diagnostics.error(value.range,
                        fmt::format("the constant %{} is {}: to compute it takes {} bytes, but {} "
                                    "are the most (--max-memory)",
                                    format_name(value.name), to_string(*value.type), beyond->bytes,
                                    most));
    }
  return reported.empty();
}

} // namespace cnnc
