// Names that say nothing about where a model comes from.
#include "compiler/reduce/reductions.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

constexpr const char *model_name = "m";

/// The parts of a place that tell what has the name.
enum : uint32_t { of_value, of_kernel, of_model };

/// %x0 for inputs, %c0 for constants, %v0 for all others.
std::string short_name(const Graph &graph, ValueId id) {
  return fmt::format("{}{}", graph.is_input(id) ? 'x' : graph.is_constant(id) ? 'c' : 'v', id);
}

std::string kernel_name(KernelId id) { return fmt::format("k{}", id); }

std::vector<ReductionPlace> long_names(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  if (graph.name != model_name)
    places.push_back({0, of_model});
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    if (graph.kernels[id].name != kernel_name(id))
      places.push_back({id, of_kernel});
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (graph.value(id).name != short_name(graph, id))
      places.push_back({id, of_value});
  return places;
}

/// A name that another value still has leads to a text that is wrong.
void shorten(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    if (place.part == of_model)
      graph.name = model_name;
    else if (place.part == of_kernel)
      graph.kernels[place.id].name = kernel_name(place.id);
    else
      graph.values[place.id].name = short_name(graph, place.id);
}

} // namespace

const Reduction rename_values = {"short names", long_names, shorten};

} // namespace cnnc
