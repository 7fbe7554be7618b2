#include "compiler/pass/split_wide.h"

#include <algorithm>
#include <numeric>

namespace cnnc {

namespace {

constexpr size_t widest = 128;

/// Cuts `count` values into as few runs of at most `widest` as possible, of nearly the same length:
/// where each begins, and the end.
std::vector<size_t> cut_evenly(size_t count) {
  const size_t runs = (count + widest - 1) / widest;
  std::vector<size_t> bounds;
  for (size_t i = 0; i <= runs; ++i)
    bounds.push_back(count * i / runs);
  return bounds;
}

/// The row-major type with this size along the axis.
TensorType with_size(TensorType type, size_t axis, int64_t size) {
  type.shape[axis] = size;
  type.layout = {};
  return type;
}

void split_concat(Graph &graph, NodeId id) {
  const Concat op = std::get<Concat>(graph.nodes[id].op);
  const std::vector<ValueId> operands = graph.nodes[id].operands;
  const ValueId result = graph.nodes[id].results[0];
  const size_t axis = *normalized_axis(op.axis, graph.type(result).rank());
  const std::vector<size_t> bounds = cut_evenly(operands.size());
  std::vector<ValueId> joined;
  for (size_t run = 0; run + 1 < bounds.size(); ++run) {
    std::vector<ValueId> some(operands.begin() + static_cast<std::ptrdiff_t>(bounds[run]),
                              operands.begin() + static_cast<std::ptrdiff_t>(bounds[run + 1]));
    int64_t size = 0;
    for (ValueId operand : some)
      size += graph.type(operand).shape[axis];
    joined.push_back(graph.add_node(op, std::move(some), graph.value(result).name + ".part",
                                    with_size(graph.type(result), axis, size)));
  }
  graph.redefine(id, op, std::move(joined));
}

void split_split(Graph &graph, NodeId id) {
  const Split op = std::get<Split>(graph.nodes[id].op);
  const ValueId operand = graph.nodes[id].operands[0];
  const std::vector<ValueId> results = graph.nodes[id].results;
  const size_t axis = *normalized_axis(op.axis, graph.type(operand).rank());
  const std::vector<size_t> bounds = cut_evenly(results.size());
  Split outer{op.axis, {}};
  std::vector<ValueId> parts;
  for (size_t run = 0; run + 1 < bounds.size(); ++run) {
    const auto begin = static_cast<std::ptrdiff_t>(bounds[run]);
    const auto end = static_cast<std::ptrdiff_t>(bounds[run + 1]);
    Split inner{op.axis, {op.sizes.begin() + begin, op.sizes.begin() + end}};
    outer.sizes.push_back(std::reduce(inner.sizes.begin(), inner.sizes.end()));
    const ValueId part =
        graph.add_value(graph.unique_value_name(graph.value(operand).name + ".part"),
                        with_size(graph.type(operand), axis, outer.sizes.back()));
    graph.value(part).producer = id;
    graph.value(part).constant = graph.is_constant(results[0]);
    parts.push_back(part);
    graph.append({std::move(inner), {part}, {results.begin() + begin, results.begin() + end}});
  }
  graph.nodes[id].results = std::move(parts);
  graph.redefine(id, std::move(outer), {operand});
}

} // namespace

bool split_wide_ops(Graph &graph) {
  bool changed = false;
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    while (graph.nodes[id].kernel == no_id &&
           std::max(graph.nodes[id].operands.size(), graph.nodes[id].results.size()) > widest) {
      if (std::holds_alternative<Concat>(graph.nodes[id].op))
        split_concat(graph, id);
      else if (std::holds_alternative<Split>(graph.nodes[id].op))
        split_split(graph, id);
      else
        break;
      changed = true;
    }
  return changed;
}

} // namespace cnnc
