#include "compiler/training/gradients.h"

#include "ir/graph/gradients/backward.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

bool is_parameter(const Graph &graph, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  if (producer == no_id || graph.type(id).dtype != DType::f32 ||
      !is_one_of<Weight, Random>(graph.nodes[producer].op))
    return false;
  return std::ranges::none_of(graph.value(id).users, [&](NodeId user) {
    const Node &node = graph.nodes[user];
    return std::holds_alternative<BatchNorm>(node.op) &&
           (node.operands[3] == id || node.operands[4] == id);
  });
}

std::string weight_name(const Graph &graph, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  const auto *weight = producer == no_id ? nullptr : std::get_if<Weight>(&graph.nodes[producer].op);
  return weight ? weight->key : graph.value(id).name;
}

namespace {

/// Gradients of weights are sums over the images.
bool check_batch(const Graph &graph, PassContext &context) {
  for (ValueId id : graph.inputs)
    if (graph.type(id).has_symbolic_batch()) {
      context.diagnostics.error(
          graph.value(id).range,
          fmt::format("gradients are sums over the images, whose number must be known: say --batch "
                      "N, or write it in place of '{}'",
                      graph.type(id).batch_name));
      return false;
    }
  return true;
}

/// Of every value whether it is computed from what is asked for.
std::vector<bool> find_wanted(const Graph &graph, const std::vector<ValueId> &of) {
  std::vector<bool> wanted(graph.values.size(), false);
  for (ValueId id : of)
    wanted[id] = true;
  for (const Node &node : graph.nodes)
    if (std::ranges::any_of(node.operands, [&](ValueId id) { return wanted[id]; }))
      for (ValueId result : node.results)
        wanted[result] = true;
  return wanted;
}

} // namespace

std::optional<std::vector<ValueId>> add_gradients(Graph &graph, const std::vector<ValueId> &of,
                                                  PassContext &context) {
  if (!check_batch(graph, context))
    return std::nullopt;
  const std::vector<bool> wanted = find_wanted(graph, of);
  Gradients gradients(graph);
  const ValueId loss = graph.outputs.front();
  gradients.add(loss, filled({graph, loss}, 1, graph.type(loss).shape).id());
  const size_t errors = context.diagnostics.error_count();
  for (auto id = static_cast<NodeId>(graph.nodes.size()); id-- > 0;) {
    const Node &node = graph.nodes[id];
    // Results that rules have added are none of the forward pass.
    const bool matters =
        std::ranges::any_of(
            node.operands, [&](ValueId value) { return value < wanted.size() && wanted[value]; }) &&
        std::ranges::any_of(node.results,
                            [&](ValueId value) { return gradients.find(value).has_value(); });
    if (!matters)
      continue;
    const Op op = node.op; // a copy: rules add nodes
    Backward backward(graph, id, gradients, wanted, context.diagnostics);
    std::visit([&](const auto &concrete) { concrete.differentiate(backward); }, op);
  }
  if (context.diagnostics.error_count() != errors)
    return std::nullopt;
  std::vector<ValueId> result;
  for (ValueId id : of) {
    if (!gradients.find(id)) {
      if (context.remark)
        context.remark(fmt::format("the loss does not change with %{}: its gradient is 0",
                                   format_name(graph.value(id).name)));
      gradients.add(id, filled({graph, id}, 0, graph.type(id).shape).id());
    }
    result.push_back(*gradients.find(id));
  }
  return result;
}

} // namespace cnnc
