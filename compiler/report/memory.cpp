#include "compiler/layout/memory_plan.h"
#include "compiler/report/sections.h"

namespace cnnc::report {

namespace {

/// What a step is called: its kernel, or the value of a lone op.
std::string name_of_step(const Graph &graph, const std::vector<NodeId> &members) {
  const Node &node = graph.nodes[members.front()];
  if (const Call *call = std::get_if<Call>(&node.op))
    return call->kernel;
  return node.kernel != no_id ? graph.kernels[node.kernel].name
                              : graph.value(node.results.front()).name;
}

Json steps_of(const Graph &graph, const Execution &execution) {
  Json steps = Json::array();
  for (const std::vector<NodeId> &members : execution.steps)
    steps.push_back(name_of_step(graph, members));
  return steps;
}

Json buffers_of(const Graph &graph, const Execution &execution) {
  Json buffers = Json::array();
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const Value &value = graph.value(id);
    const Lifetime &lifetime = execution.lifetimes[id];
    if (!lifetime.planned || execution.places[id].root != id || !value.offset)
      continue;
    buffers.push_back({{"name", value.name},
                       {"type", to_string(*value.type)},
                       {"offset", *value.offset},
                       {"bytes", rounded_size(*value.type).value_or(0)},
                       {"first", lifetime.first},
                       {"last", lifetime.last}});
  }
  return buffers;
}

Json constants_of(const Compilation &compilation) {
  Json constants = Json::array();
  for (const WeightsPiece &piece : compilation.program.weights)
    constants.push_back({{"name", compilation.lowered.value(piece.value).name},
                         {"type", to_string(compilation.lowered.type(piece.value))},
                         {"offset", piece.offset},
                         {"bytes", piece.size}});
  return constants;
}

} // namespace

Json memory_section(const Compilation &compilation) {
  const Graph &graph = compilation.planned;
  const Execution execution = order_of_execution(graph);
  return {{"plan", workspace_size(graph)},
          {"workspace", compilation.program.description.workspace_size},
          {"perThread", compilation.program.description.workspace_per_thread},
          {"steps", steps_of(graph, execution)},
          {"buffers", buffers_of(graph, execution)},
          {"constants", constants_of(compilation)}};
}

} // namespace cnnc::report
