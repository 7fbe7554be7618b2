// Attributes that have another value than their default.
#include "compiler/reduce/reductions.h"

namespace cnnc {

namespace {

std::vector<ReductionPlace> changed_attributes(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Op &op = graph.nodes[id].op;
    const std::vector<AttributeInfo> &attributes = info_of(op).attributes;
    for (uint32_t i = 0; i < attributes.size(); ++i)
      if (!attributes[i].required && attributes[i].get(op) != attributes[i].default_value)
        places.push_back({id, i});
  }
  return places;
}

void reset(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places) {
    Op &op = graph.nodes[place.id].op;
    const AttributeInfo &attribute = info_of(op).attributes[place.part];
    attribute.set(op, attribute.default_value);
  }
}

} // namespace

const Reduction reset_attributes = {"reset attributes", changed_attributes, reset};

} // namespace cnnc
