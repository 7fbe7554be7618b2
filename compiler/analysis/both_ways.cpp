#include "compiler/analysis/both_ways.h"

#include "compiler/layout/views.h"

#include <algorithm>

namespace cnnc {

namespace {

constexpr int64_t most = int64_t(1) << 62;

int64_t sum_of_bytes(const Graph &graph, const std::vector<bool> &values) {
  int64_t sum = 0;
  for (ValueId id = 0; id < values.size(); ++id)
    if (values[id])
      sum = checked_add(sum, byte_size(graph.type(id)).value_or(most)).value_or(most);
  return std::min(sum, most);
}

} // namespace

std::vector<bool> way_forward(const Graph &graph) {
  std::vector<bool> forward(graph.nodes.size(), false);
  auto enter = [&](ValueId value) {
    if (!graph.is_input(value))
      forward[graph.value(value).producer] = true;
  };
  if (!graph.outputs.empty())
    enter(graph.outputs.front());
  for (NodeId id = static_cast<NodeId>(graph.nodes.size()); id-- > 0;)
    if (forward[id])
      std::ranges::for_each(graph.nodes[id].operands, enter);
  return forward;
}

int64_t bytes_kept(const Graph &graph, const std::vector<bool> &forward) {
  const std::vector<Place> places = places_of_values(graph);
  std::vector<bool> kept(graph.values.size(), false);
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    if (!forward[id])
      for (ValueId operand : graph.nodes[id].operands)
        if (!graph.is_input(operand) && !graph.is_constant(operand) &&
            forward[graph.value(operand).producer])
          kept[places[operand].root] = true;
  for (ValueId input : graph.inputs)
    kept[input] = false; // views of them
  return sum_of_bytes(graph, kept);
}

int64_t bytes_of_state(const Graph &graph) {
  std::vector<bool> state(graph.values.size(), false);
  for (ValueId input : graph.updated)
    if (input != no_id)
      state[input] = true;
  return sum_of_bytes(graph, state);
}

} // namespace cnnc
