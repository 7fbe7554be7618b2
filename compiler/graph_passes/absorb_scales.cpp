// Scales the filter of a convolution instead of its input, where that is less work: the gate of a
// squeeze-and-excite block, or a constant per channel.
//
//   %m = mul %x, %s : f32[1, 96, 56, 56]       %w.scaled = mul %w, %s : f32[24, 96, 1, 1]
//   %y = conv2d %m, %w                    =>   %y = conv2d %x, %w.scaled
//
// The convolution has to be the only reader, without groups. A constant costs nothing. A gate is
// known at run time alone: this is then one multiplication per element of the filter instead of one
// per element of the map. It also keeps the compiler from transforming the filter, so that only 1x1
// filters are scaled this way.

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

namespace cnnc {

namespace {

/// A filter comes from memory, while the map was written just before and lies in a cache: scaling
/// an element of the filter takes this many times as long.
constexpr int64_t cost_of_filter = 4;

class Scales {
public:
  explicit Scales(Graph &graph) : graph_(graph) {}

  /// Absorbs what scales the input of one op. True when the op was changed.
  bool absorb(NodeId id) {
    const Node &node = graph_.nodes[id];
    const Conv2d *conv = std::get_if<Conv2d>(&node.op);
    if (!conv || conv->groups != 1 || node.kernel != no_id || !graph_.is_constant(node.operands[1]))
      return false;
    const Node *product = producer_of(graph_, node.operands[0]);
    const Binary *binary = product ? std::get_if<Binary>(&product->op) : nullptr;
    if (!binary || binary->row != binary::mul || product->kernel != no_id ||
        single_user(graph_, node.operands[0]) != id)
      return false;
    for (size_t index : {0, 1}) {
      ValueId map = product->operands[index], scale = product->operands[1 - index];
      if (graph_.type(map) != graph_.type(node.operands[0]) || !is_per_channel(scale, map) ||
          !is_worth_it(node, scale))
        continue;
      rewrite(id, map, scale);
      return true;
    }
    return false;
  }

private:
  /// One factor per channel. A symbolic batch has factors of its own for every image, a filter has
  /// none.
  bool is_per_channel(ValueId scale, ValueId map) const {
    const TensorType &type = graph_.type(scale);
    const int64_t channels = graph_.type(map).shape[1];
    if (!type.layout.plain() || type.rank() < 3 || type.rank() > 4)
      return false;
    const std::vector<int64_t> wanted = {1, channels, 1, 1};
    return std::equal(type.shape.rbegin(), type.shape.rend(), wanted.rbegin());
  }

  bool is_worth_it(const Node &convolution, ValueId scale) const {
    if (graph_.is_constant(scale))
      return true;
    const std::vector<int64_t> &filter = graph_.type(convolution.operands[1]).shape;
    const std::vector<int64_t> &map = graph_.type(convolution.operands[0]).shape;
    return filter[2] == 1 && filter[3] == 1 && map[0] == 1 &&
           cost_of_filter * filter[0] < map[2] * map[3];
  }

  void rewrite(NodeId id, ValueId map, ValueId scale) {
    const ValueId filter = graph_.nodes[id].operands[1];
    const std::vector<int64_t> shape = {1, graph_.type(map).shape[1], 1, 1};
    if (graph_.type(scale).shape != shape)
      scale = add_inferred(graph_, Reshape{shape}, {scale},
                           graph_.values[scale].name + ".per_input_channel");
    ValueId scaled = add_inferred(graph_, Binary{binary::mul}, {filter, scale},
                                  graph_.values[filter].name + ".scaled");
    graph_.set_operand(id, 0, map);
    graph_.set_operand(id, 1, scaled);
    graph_.nodes[id].operand_ranges.clear();
  }

  Graph &graph_;
};

} // namespace

bool absorb_scales(Graph &graph, PassContext &) {
  Scales scales(graph);
  bool changed = false;
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id)
    changed = scales.absorb(id) || changed;
  if (changed) {
    graph.sort();
    graph.erase_dead_nodes();
  }
  return true;
}

} // namespace cnnc
