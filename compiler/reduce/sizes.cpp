// Dimensions of half the size. What depends on them follows (follow_sizes.h).
#include "compiler/reduce/follow_sizes.h"
#include "compiler/reduce/reductions.h"

namespace cnnc {

namespace {

/// The dimensions larger than 1 of inputs and constants for which `wanted` holds.
template <class Wanted>
std::vector<ReductionPlace> dimensions(const Candidate &candidate, const Wanted &wanted) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (has_free_size(graph, id))
      for (uint32_t axis = 0; axis < graph.type(id).rank(); ++axis)
        if (graph.type(id).shape[axis] > 1 && wanted(graph.is_input(id), axis))
          places.push_back({id, axis});
  return places;
}

/// Of images, and of the filters and matrices that make them; those that they read follow.
std::vector<ReductionPlace> channels(const Candidate &candidate) {
  return dimensions(candidate,
                    [](bool input, uint32_t axis) { return input ? axis == 1 : axis < 2; });
}

/// How many images there are, their height and width.
std::vector<ReductionPlace> images(const Candidate &candidate) {
  return dimensions(candidate, [](bool input, uint32_t axis) { return input && axis != 1; });
}

/// Height and width of filters.
std::vector<ReductionPlace> windows(const Candidate &candidate) {
  return dimensions(candidate, [](bool input, uint32_t axis) { return !input && axis >= 2; });
}

void halve(Graph &graph, const Candidate &before, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    graph.value(place.id).type->shape[place.part] /= 2;
  follow_sizes(graph, before.typed);
}

} // namespace

const Reduction halve_channels = {"halve channels", channels, halve};
const Reduction halve_images = {"halve images", images, halve};
const Reduction halve_windows = {"halve windows", windows, halve};

} // namespace cnnc
