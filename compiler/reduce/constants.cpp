// Constants that need no file, and such that are easy to read.
#include "compiler/reduce/reductions.h"

namespace cnnc {

namespace {

template <class... Ops> std::vector<ReductionPlace> nodes_of(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    if (is_one_of<Ops...>(graph.nodes[id].op))
      places.push_back({id});
  return places;
}

/// 1 is a scale and a variance, too; integers are indices, of which 0 always exists.
Splat splat_of(const TensorType &type) { return {type.dtype == DType::f32 ? 1.0 : 0.0}; }

/// Vectors are biases, scales and variances, which must be positive.
void randomize(Graph &graph, const Candidate &before, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places) {
    const TensorType &type = before.typed.type(graph.nodes[place.id].results[0]);
    const RandomKind kind = type.rank() < 2 ? RandomKind::uniform : RandomKind::he;
    Op op = splat_of(type);
    if (type.dtype == DType::f32)
      op = Random{place.id, kind};
    graph.redefine(place.id, std::move(op), {});
  }
}

void splat(Graph &graph, const Candidate &before, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    graph.redefine(place.id, splat_of(before.typed.type(graph.nodes[place.id].results[0])), {});
}

} // namespace

const Reduction randomize_weights = {"random weights", nodes_of<Weight>, randomize};
const Reduction splat_constants = {"splat constants", nodes_of<Weight, Random, Literal>, splat};

} // namespace cnnc
