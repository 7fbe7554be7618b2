// Weight packing: constants get the layout in whose order their kernel reads them.
//
//   kernel @c(%x.blocked, %w, %b) -> (%c) schedule(vector=oc:16, tile=[oc:32, ow:6]) {
//     %c = conv2d %x.blocked, %w, %b
//   }
// becomes
//   %w.oihw16i32o = relayout %w : f32[64, 64, 3, 3] oihw16i32o
//   kernel @c(%x.blocked, %w.oihw16i32o, %b) -> (%c) schedule(vector=oc:16, tile=[oc:32, ow:6]) {
//     %c = conv2d %x.blocked, %w.oihw16i32o, %b
//   }
//
// Filters and constant matrices: blocks of the output channels of a tile, innermost, so that they
// are read as vectors one after the other; what computes a filter at run time writes it like that.
// Channel vectors (biases): filled up with zeros to whole blocks. A relayout of a constant is
// itself a constant, computed by the compiler; weights that are known only when the model runs are
// packed then, by kernels. So are the right operands of products of integers.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/dot_filters.h"
#include "compiler/layout/small_groups.h"
#include "compiler/lowering/loops.h"
#include "compiler/pass/rewrite.h"
#include "compiler/schedule/moves.h"

#include <map>

namespace cnnc {

namespace {

/// A map whose channels lie in blocks of vectors. Filters, which have another block, are written
/// and read element by element.
bool has_channel_blocks(const TensorType &type, int64_t lanes) {
  return type.layout.block_of(1) == lanes && type.layout.block_of(0) == 1;
}

/// In which layout the ops of kernels read their constants and filters.
class Wanted {
public:
  Wanted(const Graph &graph, int64_t lanes) : graph_(graph), lanes_(lanes) {}

  /// The layout of an operand, plain where it is to stay as it is.
  Layout wanted(const Node &node, size_t index) const {
    if (node.kernel == no_id || std::holds_alternative<Relayout>(node.op))
      return {};
    const TensorType &result = type(node.results[0]);
    const bool blocked = has_channel_blocks(result, lanes_);
    ValueId operand = node.operands[index];
    bool filter =
        index == 1 && (traits_of(node.op).filter_channels >= 0 ||
                       (std::holds_alternative<Matmul>(node.op) && graph_.is_constant(operand)) ||
                       takes_fours_of_rows(graph_, node));
    if (type(operand).layout.blocks.empty() && filter)
      return filter_layout(node, blocked);
    bool activation = index == 0 && !traits_of(node.op).broadcasts;
    if (activation || !blocked || !type(operand).layout.blocks.empty())
      return {};
    return {channel_blocks(node, operand, result), {}};
  }

private:
  const TensorType &type(ValueId id) const { return graph_.type(id); }

  Layout filter_layout(const Node &node, bool blocked) const {
    const auto *conv = std::get_if<Conv2d>(&node.op);
    if (!conv || conv->winograd <= 0)
      return {filter_blocks(node, blocked), {}};
    // All input channels of a tile of output channels together, for each element of the transform.
    return {{{1, type(node.operands[1]).shape[1]}, {0, channel_tile(node)}}, {}, conv->winograd};
  }

  std::vector<Block> filter_blocks(const Node &node, bool blocked) const {
    int64_t input_block = type(node.operands[0]).layout.block_of(1);
    const int64_t width = dot_width(graph_, node, lanes_);
    if (std::holds_alternative<Dense>(node.op))
      return width > 0 ? dot_blocks(1, lanes_, width) : std::vector<Block>{{0, lanes_}};
    if (std::holds_alternative<Matmul>(node.op))
      return takes_fours_of_rows(graph_, node) ? rows_in_fours(type(node.operands[1]).shape, lanes_)
                                               : matrix_blocks(type(node.operands[1]).shape);
    if (!blocked)
      return {};
    if (std::holds_alternative<Local2d>(node.op))
      return {{2, lanes_}};
    const auto *conv = std::get_if<Conv2d>(&node.op);
    const std::vector<int64_t> &filter = type(node.operands[1]).shape;
    const bool small_groups = conv && vectors_of_small_groups(*conv, filter, lanes_);
    if (width > 0 && input_block % width == 0)
      return dot_blocks(input_block, channel_tile(node), width);
    if (filter[1] == 1 || input_block == 1 || small_groups)
      return {{0, channel_tile(node)}};
    return {{1, input_block}, {0, channel_tile(node)}};
  }

  /// A constant matrix in vectors of columns, all rows of one after the other: tiles read it from
  /// front to back, wherever the next row of the whole matrix would be.
  std::vector<Block> matrix_blocks(const std::vector<int64_t> &shape) const {
    const auto rank = static_cast<int64_t>(shape.size());
    if (shape.back() < lanes_)
      return {};
    return {{rank - 2, shape[shape.size() - 2]}, {rank - 1, lanes_}};
  }

  int64_t channel_tile(const Node &node) const {
    const LoopFactor *tile =
        tile_of(graph_.kernels[node.kernel].schedule, loops_of(graph_, node), Role::channels);
    return tile && tile->size % lanes_ == 0 ? tile->size : lanes_;
  }

  /// A constant with a dimension per channel of a blocked result, when the last block is not whole.
  /// The bias of a convolution counts channels in its dimension 0, others are broadcast (NumPy).
  std::vector<Block> channel_blocks(const Node &node, ValueId operand,
                                    const TensorType &result) const {
    const std::vector<int64_t> &shape = type(operand).shape;
    bool bias = !traits_of(node.op).broadcasts;
    int64_t axis =
        bias ? 0 : 1 - (static_cast<int64_t>(result.rank()) - static_cast<int64_t>(shape.size()));
    bool per_channel = axis >= 0 && axis < static_cast<int64_t>(shape.size()) &&
                       shape[static_cast<size_t>(axis)] == result.shape[1];
    // A binary op broadcasts a single channel, unless the shapes are the same; a bias never does.
    bool broadcast = !bias && result.shape[1] == 1 && shape != result.shape;
    if (!per_channel || result.shape[1] % lanes_ == 0 || broadcast)
      return {};
    return {{axis, lanes_}};
  }

  const Graph &graph_;
  int64_t lanes_;
};

class Packer {
public:
  Packer(Graph &graph, int64_t lanes) : graph_(graph), lanes_(lanes), wanted_(graph, lanes) {}

  bool run() {
    for (NodeId id = 0, count = static_cast<NodeId>(graph_.nodes.size()); id < count; ++id)
      for (size_t i = 0; i < graph_.nodes[id].operands.size(); ++i)
        if (Layout layout = wanted_.wanted(graph_.nodes[id], i); !layout.plain()) {
          const bool written = write_in_blocks(graph_.nodes[id].operands[i], layout.blocks);
          if (!written || layout.winograd > 0) // whose transform is a kernel of its own
            replace(id, i, layout);
        }
    return graph_.sort();
  }

private:
  const TensorType &type(ValueId id) const { return graph_.type(id); }

  /// Lets the kernel that computes a filter element by element, or transposes it, write it in
  /// blocks. False if another kind of kernel computes it, or others read it.
  bool write_in_blocks(ValueId filter, const std::vector<Block> &blocks) {
    NodeId producer = graph_.values[filter].producer;
    if (graph_.is_constant(filter) || producer == no_id || !reader_of_filter(graph_, filter))
      return false;
    KernelId kernel = graph_.nodes[producer].kernel;
    std::vector<NodeId> members;
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      if (kernel != no_id && graph_.nodes[id].kernel == kernel)
        members.push_back(id);
    if (members.size() == 1 && std::holds_alternative<Transpose>(graph_.nodes[producer].op)) {
      TensorType &written = *graph_.values[filter].type;
      written.layout.blocks = blocks;
      graph_.kernels[kernel].schedule = schedule_packing(written, lanes_);
      return true;
    }
    for (NodeId id : members)
      if (!is_formula(graph_.nodes[id].op))
        return false;
    for (NodeId id : members) {
      graph_.values[graph_.nodes[id].results[0]].type->layout.blocks = blocks;
      for (size_t i = 0; i < graph_.nodes[id].operands.size(); ++i) {
        ValueId operand = graph_.nodes[id].operands[i];
        if (graph_.is_constant(operand) && type(operand).shape == type(filter).shape)
          replace(id, i, {blocks, {}});
      }
    }
    return !members.empty();
  }

  void replace(NodeId id, size_t index, const Layout &layout) {
    ValueId operand = graph_.nodes[id].operands[index];
    TensorType packed = type(operand);
    packed.layout = layout;
    for (ValueId to : packed_[operand])
      if (type(to) == packed) {
        graph_.set_operand(id, index, to);
        return;
      }
    std::string name = graph_.values[operand].name + ".";
    if (layout.winograd > 0)
      name += "winograd" + std::to_string(layout.winograd) + ".";
    name += to_string(layout, packed.rank());
    ValueId result = graph_.add_node(Relayout{}, {operand}, name, packed);
    // Weights that are computed at run time are packed at run time.
    if (!graph_.is_constant(operand)) {
      const NodeId relayout = graph_.value(result).producer;
      graph_.enclose(relayout);
      graph_.kernels[graph_.nodes[relayout].kernel].schedule = schedule_packing(packed, lanes_);
    }
    packed_[operand].push_back(result);
    graph_.set_operand(id, index, result);
  }

  Graph &graph_;
  int64_t lanes_;
  Wanted wanted_;
  std::map<ValueId, std::vector<ValueId>> packed_; // of each operand
};

} // namespace

bool pack_weights(Graph &graph, PassContext &context) {
  return Packer(graph, context.machine.vector_lanes).run();
}

std::optional<ValueId> find_unpacked(const Graph &graph, const Machine &machine) {
  const Wanted wanted(graph, machine.vector_lanes);
  for (const Node &node : graph.nodes) {
    if (!has_channel_blocks(graph.type(node.results[0]), machine.vector_lanes))
      continue; // such a kernel reads what there is
    for (size_t i = 0; i < node.operands.size(); ++i) {
      TensorType packed = graph.type(node.operands[i]);
      const std::optional<int64_t> bytes = byte_size(packed);
      packed.layout = wanted.wanted(node, i);
      const bool transformed = packed.layout.winograd > 0; // which lowering asks for itself
      if (!transformed && !packed.layout.plain() && byte_size(packed) != bytes)
        return node.operands[i];
    }
  }
  return std::nullopt;
}

} // namespace cnnc
