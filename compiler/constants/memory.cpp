#include "compiler/constants/memory.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cnnc {

namespace {

/// Bytes of a value as the reference keeps it: logical, whatever its layout.
uint64_t bytes_of(const Graph &graph, ValueId id) {
  TensorType type = graph.type(id);
  type.layout = {};
  return static_cast<uint64_t>(byte_size(type).value_or(int64_t(1) << 62));
}

/// Follows the values that are in memory while an expression is computed, as run_nodes() keeps
/// them: each until its last use. Returns the first with which they are more than `most` bytes.
std::optional<std::pair<ValueId, uint64_t>> first_beyond(const Graph &graph, ValueId constant,
                                                         uint64_t most) {
  const std::vector<const Node *> nodes = expression_of(graph, constant);
  std::map<ValueId, size_t> uses = {{constant, 1}};
  for (const Node *node : nodes)
    for (ValueId operand : node->operands)
      ++uses[operand];
  uint64_t alive = 0;
  for (const Node *node : nodes) {
    for (ValueId result : node->results) {
      alive += bytes_of(graph, result);
      if (alive > most)
        return std::pair(result, alive);
    }
    auto release = [&](ValueId id) { alive -= bytes_of(graph, id); };
    for (ValueId operand : node->operands)
      if (--uses[operand] == 0 &&
          !std::holds_alternative<Weight>(graph.nodes[graph.value(operand).producer].op))
        release(operand);
    for (ValueId result : node->results)
      if (uses[result] == 0)
        release(result);
  }
  return std::nullopt;
}

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

} // namespace

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
    if (auto beyond = first_beyond(graph, constant, most);
        beyond && reported.insert(beyond->first).second) {
      const Value &value = graph.value(beyond->first);
      diagnostics.error(value.range,
                        fmt::format("the constant %{} is {}: to compute it takes {} bytes, but {} "
                                    "are the most (--max-memory)",
                                    format_name(value.name), to_string(*value.type), beyond->second,
                                    most));
    }
  return reported.empty();
}

} // namespace cnnc
