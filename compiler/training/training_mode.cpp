#include "compiler/training/training_mode.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// The statistics of a batch norm that stand in the text itself; frozen ones are in a file.
std::optional<ValueId> constant_statistics(const Graph &graph, const Node &norm) {
  for (ValueId id : {norm.operands[3], norm.operands[4]}) {
    const NodeId producer = graph.value(id).producer;
    if (producer != no_id && !is_one_of<Weight, Random>(graph.nodes[producer].op))
      return id;
  }
  return std::nullopt;
}

void remark_constant_statistics(const Graph &graph, const PassContext &context) {
  std::string first;
  int others = -1;
  for (const Node &node : graph.nodes) {
    const auto *norm = std::get_if<BatchNorm>(&node.op);
    if (!norm || norm->statistics == Statistics::batch)
      continue;
    const std::optional<ValueId> constant = constant_statistics(graph, node);
    if (constant && ++others == 0)
      first = fmt::format("batch_norm %{} keeps its statistics: %{} is no weight",
                          format_name(graph.value(node.results[0]).name),
                          format_name(graph.value(*constant).name));
  }
  if (others >= 0 && context.remark)
    context.remark(others > 0 ? fmt::format("{}; so do {} more", first, others) : first);
}

} // namespace

std::vector<std::pair<ValueId, ValueId>> use_batch_statistics(Graph &graph,
                                                              const PassContext &context) {
  remark_constant_statistics(graph, context);
  std::vector<std::pair<ValueId, ValueId>> next;
  // One that two batch norms share is moved by both, one after the other.
  auto newest = [&](ValueId input) {
    for (const auto &[known, value] : next)
      if (known == input)
        return value;
    return input;
  };
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    const auto *norm = std::get_if<BatchNorm>(&graph.nodes[id].op);
    if (!norm || norm->statistics == Statistics::batch)
      continue;
    const std::vector<ValueId> operands = graph.nodes[id].operands;
    if (!graph.is_input(operands[3]) || !graph.is_input(operands[4]))
      continue;
    BatchNorm op = *norm;
    op.statistics = Statistics::batch;
    std::vector<Term> terms;
    for (size_t i = 0; i < 5; ++i)
      terms.emplace_back(graph, i < 3 ? operands[i] : newest(operands[i]));
    const std::vector<Term> results = apply_all(op, terms);
    const ValueId before = graph.nodes[id].results[0];
    graph.replace_uses(before, results[0].id());
    graph.swap_names(before, results[0].id());
    for (size_t i : {1, 2}) {
      std::erase_if(next, [&](const auto &known) { return known.first == operands[2 + i]; });
      next.emplace_back(operands[2 + i], results[i].id());
    }
  }
  return next;
}

bool drop_elements(Graph &graph, const Term &step) {
  int64_t seed = 0; // one for each
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    if (!is(graph.nodes[id].op, unary::dropout))
      continue;
    const double ratio = std::get<Unary>(graph.nodes[id].op).parameters[0];
    if (ratio == 0)
      continue;
    const Term x(graph, graph.nodes[id].operands[0]);
    const Term number = apply(RandomUniform{seed++, x.shape()}, {step});
    const Term left = ratio < 1 ? x * (1 / (1 - ratio)) : x;
    const Term result = where(is_less(number, ratio), 0, left);
    const ValueId before = graph.nodes[id].results[0];
    graph.replace_uses(before, result.id());
    graph.swap_names(before, result.id());
  }
  return seed > 0;
}

} // namespace cnnc
