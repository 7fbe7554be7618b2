// Ops that are left out.
#include "compiler/reduce/reductions.h"

#include <algorithm>

namespace cnnc {

namespace {

/// All but constants, which go with those that read them.
std::vector<ReductionPlace> computed_nodes(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    if (!graph.is_constant(graph.nodes[id].results[0]))
      places.push_back({id});
  return places;
}

/// What an op that is erased has computed comes from outside instead.
void make_inputs(Graph &graph, const Graph &typed, const Node &node,
                 const std::vector<bool> &erased) {
  for (ValueId id : node.results) {
    Value &value = graph.value(id);
    if (std::ranges::all_of(value.users, [&](NodeId user) { return erased[user]; }))
      continue;
    value.type = typed.type(id);
    value.offset.reset();
    value.producer = no_id;
    graph.inputs.push_back(id);
  }
}

/// What only erased ops have read is returned, so that it is still computed.
void return_operands(Graph &graph, const Node &node, const std::vector<bool> &erased) {
  for (ValueId id : node.operands) {
    const Value &value = graph.value(id);
    const bool computed = value.producer != no_id && !erased[value.producer] && !value.constant;
    if (computed && !graph.is_output(id) &&
        std::ranges::all_of(value.users, [&](NodeId user) { return erased[user]; }))
      graph.outputs.push_back(id);
  }
}

/// Cuts ops out of the graph, wherever they stand: at its beginning, at its end or in between.
void erase(Graph &graph, const Candidate &before, std::span<const ReductionPlace> places) {
  std::vector<bool> erased(graph.nodes.size(), false);
  for (const ReductionPlace &place : places)
    erased[place.id] = true;
  graph.updated.resize(graph.outputs.size(), no_id);
  for (size_t i = graph.outputs.size(); i-- > 0;)
    if (NodeId producer = graph.value(graph.outputs[i]).producer;
        producer != no_id && erased[producer]) {
      graph.outputs.erase(graph.outputs.begin() + static_cast<std::ptrdiff_t>(i));
      graph.updated.erase(graph.updated.begin() + static_cast<std::ptrdiff_t>(i));
    }
  for (const ReductionPlace &place : places)
    return_operands(graph, graph.nodes[place.id], erased);
  for (const ReductionPlace &place : places)
    make_inputs(graph, before.typed, graph.nodes[place.id], erased);
  graph.erase_nodes(erased);
  graph.erase_dead_nodes();
}

/// Ops with one result, each with the operands of the same type.
std::vector<ReductionPlace> operands_like_results(const Candidate &candidate) {
  const Graph &typed = candidate.typed;
  std::vector<ReductionPlace> places;
  for (NodeId id = 0; id < typed.nodes.size(); ++id) {
    const Node &node = typed.nodes[id];
    for (uint32_t i = 0; node.results.size() == 1 && i < node.operands.size(); ++i)
      if (!typed.is_constant(node.operands[i]) &&
          same_logical_type(typed.type(node.operands[i]), typed.type(node.results[0])))
        places.push_back({id, i});
  }
  return places;
}

void bypass(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places)
    graph.replace_uses(graph.nodes[place.id].results[0],
                       graph.nodes[place.id].operands[place.part]);
  graph.erase_dead_nodes();
}

/// Ops that have been given an optional operand.
std::vector<ReductionPlace> optional_operands(const Candidate &candidate) {
  const Graph &graph = candidate.graph();
  std::vector<ReductionPlace> places;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    const std::vector<OperandInfo> &operands = info_of(node.op).operands;
    const size_t count = node.operands.size();
    if (count > 0 && count <= operands.size() && operands[count - 1].optional)
      places.push_back({id});
  }
  return places;
}

/// The last of them, which may be left out.
void drop_last(Graph &graph, const Candidate &, std::span<const ReductionPlace> places) {
  for (const ReductionPlace &place : places) {
    std::vector<ValueId> operands = graph.nodes[place.id].operands;
    operands.pop_back();
    graph.set_operands(place.id, std::move(operands));
  }
  graph.erase_dead_nodes();
}

} // namespace

const Reduction erase_ops = {"erase ops", computed_nodes, erase};
const Reduction bypass_ops = {"bypass ops", operands_like_results, bypass};
const Reduction drop_operands = {"drop operands", optional_operands, drop_last};

} // namespace cnnc
