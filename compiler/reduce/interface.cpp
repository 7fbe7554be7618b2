// Outputs, inputs, and outputs in the memory of inputs.
#include "compiler/reduce/reductions.h"

#include <algorithm>

namespace cnnc {

namespace {

std::vector<ReductionPlace> outputs_of(const Candidate &candidate) {
  std::vector<ReductionPlace> places;
  if (candidate.graph().outputs.size() > 1) // a model needs one
    for (uint32_t i = 0; i < candidate.graph().outputs.size(); ++i)
      places.push_back({i});
  return places;
}

void drop_some_outputs(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  graph.updated.resize(graph.outputs.size(), no_id);
  for (size_t i = places.size(); i-- > 0;) {
    graph.outputs.erase(graph.outputs.begin() + places[i].id);
    graph.updated.erase(graph.updated.begin() + places[i].id);
  }
  graph.erase_dead_nodes();
}

std::vector<ReductionPlace> unused_inputs(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (ValueId id : graph.inputs)
    if (graph.value(id).users.empty() && !graph.is_output(id) &&
        std::ranges::find(graph.updated, id) == graph.updated.end())
      places.push_back({id});
  return places;
}

void drop_some_inputs(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  std::erase_if(graph.inputs, [&](ValueId id) {
    return std::ranges::any_of(places, [&](const ReductionPlace &place) { return place.id == id; });
  });
  graph.erase_dead_nodes();
}

std::vector<ReductionPlace> updates_of(const Candidate &candidate) {
  std::vector<ReductionPlace> places;
  for (uint32_t i = 0; i < candidate.graph().outputs.size(); ++i)
    if (candidate.graph().updated_by(i) != no_id)
      places.push_back({i});
  return places;
}

void drop_some_updates(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    graph.updated[place.id] = no_id;
}

} // namespace

const Reduction drop_outputs = {"drop outputs", outputs_of, drop_some_outputs};
const Reduction drop_inputs = {"drop inputs", unused_inputs, drop_some_inputs};
const Reduction drop_updates = {"drop updates", updates_of, drop_some_updates};

} // namespace cnnc
