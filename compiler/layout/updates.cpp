#include "compiler/layout/updates.h"

namespace cnnc {

namespace {

bool in_one_step(const Graph &graph, NodeId a, NodeId b) {
  return a == b ||
         (graph.nodes[a].kernel != no_id && graph.nodes[a].kernel == graph.nodes[b].kernel);
}

/// Whether the ops of a step, from this member on, compute element by element, one after the other.
bool is_elementwise_from(const Graph &graph, NodeId member) {
  for (NodeId id = member; id < graph.nodes.size(); ++id)
    if (const Op &op = graph.nodes[id].op; in_one_step(graph, id, member) &&
                                           !std::holds_alternative<Relayout>(op) &&
                                           category_of(op) != Category::elementwise)
      return false;
  return true;
}

} // namespace

bool may_update(const Graph &graph, const std::vector<Place> &places, size_t output) {
  const ValueId input = graph.updated_by(output), value = graph.outputs[output];
  if (input == no_id || is_empty(graph.type(value)))
    return true;
  const NodeId writer = graph.value(value).producer;
  if (writer == no_id || graph.is_constant(value))
    return false;
  if (is_view(graph, graph.nodes[writer]))
    return false; // others have written its memory before
  const bool call = std::holds_alternative<Call>(graph.nodes[writer].op);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &reader = graph.nodes[id];
    if (is_view(graph, reader))
      continue; // those who read the view count
    for (ValueId operand : reader.operands) {
      if (places[operand].root != input)
        continue;
      if (id > writer)
        return false;
      if (!in_one_step(graph, id, writer) || call)
        continue;
      if (graph.type(operand) != graph.type(value) ||
          graph.type(reader.results[0]) != graph.type(value) || !is_elementwise_from(graph, id))
        return false;
    }
  }
  return true;
}

} // namespace cnnc
