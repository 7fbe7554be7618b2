// What passes have decided, or the text states although it follows from the rest.
#include "compiler/reduce/reductions.h"

#include "compiler/reduce/stated_types.h"

namespace cnnc {

namespace {

std::vector<ReductionPlace> scheduled_kernels(const Candidate &candidate) {
  std::vector<ReductionPlace> places;
  for (KernelId id = 0; id < candidate.graph().kernels.size(); ++id)
    if (!candidate.graph().kernels[id].schedule.empty())
      places.push_back({id});
  return places;
}

void clear_schedules(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    graph.kernels[place.id].schedule = {};
}

std::vector<ReductionPlace> all_kernels(const Candidate &candidate) {
  std::vector<ReductionPlace> places;
  for (KernelId id = 0; id < candidate.graph().kernels.size(); ++id)
    places.push_back({id});
  return places;
}

/// Their ops stand in the model itself.
void dissolve(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    for (Node &node : graph.nodes)
      if (node.kernel == place.id)
        node.kernel = no_id;
  graph.erase_dead_nodes();
}

/// Types that can be left out, and layouts and offsets of the others.
std::vector<ReductionPlace> stated_types(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const Value &value = graph.value(id);
    if (value.type && (follows(graph, value) || !value.type->layout.plain() || value.offset))
      places.push_back({id});
  }
  return places;
}

void drop_stated_types(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places) {
    Value &value = graph.value(place.id);
    value.offset.reset();
    if (follows(graph, value))
      value.type.reset();
    else
      value.type->layout = {};
  }
}

} // namespace

const Reduction drop_schedules = {"drop schedules", scheduled_kernels, clear_schedules};
const Reduction dissolve_kernels = {"dissolve kernels", all_kernels, dissolve};
const Reduction drop_types = {"drop types", stated_types, drop_stated_types};

} // namespace cnnc
