#include "compiler/layout/choose_blocks.h"
#include "compiler/layout/halo.h"
#include "compiler/layout/small_groups.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <limits>

namespace cnnc {

namespace {

const std::vector<int64_t> channels_first = {0, 3, 1, 2};

class BlockChooser {
public:
  BlockChooser(const Graph &graph, int64_t lanes, const Recorder &recorder)
      : graph_(graph), lanes_(lanes), recorder_(recorder) {}

  std::vector<Block> choose(const std::vector<NodeId> &members) {
    const Node &first = graph_.nodes[members.front()];
    if (shape(first.results[0]).size() != 4)
      return plain("only maps of images have blocks of channels");
    if (computes_filter(graph_, members))
      return plain("it computes a filter, which pack_weights lays out");
    if (!can_be_blocked(first, members))
      return plain(std::holds_alternative<Conv2d>(first.op)
                       ? "its groups of channels do not fill vectors"
                       : "its op moves channels, or reads few, or none that lie in blocks");
    if (fills_memory(first.results[0]))
      return plain("the lanes that fill up the last block would be most of a large tensor");
    if (!finite_in_padding(members))
      return plain("the lanes that fill up the last block would not stay finite");
    recorder_.note("layout", text("blocks of {} channels", lanes_),
                   "vectors of neighbouring channels for every pixel");
    return {{1, lanes_}};
  }

private:
  std::vector<Block> plain(std::string_view reason) const {
    recorder_.note("layout", "plain", reason);
    return {};
  }

  /// Whether the lanes that fill up the last block would be most of a large tensor.
  bool fills_memory(ValueId id) const {
    constexpr int64_t large = int64_t(1) << 28; // bytes
    TensorType filled = graph_.type(id);
    const int64_t bytes = byte_size(filled).value_or(large);
    filled.layout.blocks = {{1, lanes_}};
    const int64_t filled_bytes = byte_size(filled).value_or(std::numeric_limits<int64_t>::max());
    return filled_bytes > large && filled_bytes / 4 > bytes;
  }

  /// Whether the result of a kernel can lie in blocks, and its operands are such that it should.
  bool can_be_blocked(const Node &first, const std::vector<NodeId> &members) {
    return match(
        first.op, [&](const Conv2d &conv) { return blocks_convolution(first, conv); },
        [](const Local2d &) { return true; },
        [&](const OfCategory<Category::pool, Category::resize> auto &) {
          return blocks_pool(first);
        },
        [&](const MaxPool2dIndices &pool) {
          return pool.positions == PoolPositions::window && blocks_pool(first);
        },
        [&](const OneOf<MaxPool2dGradient, Resize2dGradient> auto &) { return blocks_pool(first); },
        [&](const OfCategory<Category::elementwise> auto &) { return blocks_elementwise(members); },
        [&](const Concat &concat) { return blocks_concat(first, concat); },
        [&](const DepthToSpace &op) { return blocks_shuffle(first, op); },
        [&](const SpaceToDepth &) { return blocks_space_to_depth(first); },
        [&](const Pad &pad) { return blocks_pad(first, pad); },
        [&](const Transpose &op) { return blocks_transpose(first, op); },
        [](const OneOf<Split, Slice, Expand, Gather> auto &) { return false; },
        // Sums of planes are sums of vectors of channels.
        [&](const InstanceNorm &) { return is_blocked(first.operands[0]); },
        [&](const GroupNorm &norm) { return blocks_groups(first, norm); },
        [](const OneOf<BatchNorm, LayerNorm, Lrn, Softmax, LogSoftmax, Hardmax> auto &) {
          return false;
        },
        [](const OfCategory<Category::constant, Category::transposed_convolution,
                            Category::matrix_product, Category::reduction, Category::view,
                            Category::loss, Category::internal> auto &) { return false; },
        [](const OneOf<MaxUnpool2d, Conv2dFilterGradient, ScatterAdd, RandomUniform> auto &) {
          return false;
        });
  }

  const std::vector<int64_t> &shape(ValueId id) const { return graph_.type(id).shape; }
  bool is_blocked(ValueId id) const { return graph_.type(id).layout.block_of(1) > 1; }
  bool whole_blocks(int64_t channels) const { return channels % lanes_ == 0; }

  bool blocks_convolution(const Node &node, const Conv2d &conv) {
    return groups_fill_blocks(conv, shape(node.operands[1]), lanes_);
  }

  bool blocks_pool(const Node &node) {
    return is_blocked(node.operands[0]) || shape(node.operands[0])[1] >= lanes_;
  }

  bool blocks_groups(const Node &node, const GroupNorm &norm) {
    return is_blocked(node.operands[0]) && whole_blocks(shape(node.operands[0])[1] / norm.groups);
  }

  /// Blocks can be joined along the channels when all parts but the last are whole.
  bool blocks_concat(const Node &node, const Concat &concat) {
    bool any = false, whole = true;
    for (size_t i = 0; i < node.operands.size(); ++i) {
      any = any || is_blocked(node.operands[i]);
      whole = whole && (i + 1 == node.operands.size() || concat.axis != 1 ||
                        whole_blocks(shape(node.operands[i])[1]));
    }
    return any && whole && concat.axis >= 1;
  }

  /// Vectors of channels stay together, or halves of them.
  bool blocks_shuffle(const Node &node, const DepthToSpace &op) {
    const int64_t channels = shape(node.results[0])[1];
    return is_blocked(node.operands[0]) && op.mode == DepthOrder::dcr && channels >= lanes_ &&
           channels % (lanes_ / 2) == 0;
  }
  bool blocks_space_to_depth(const Node &node) {
    const int64_t channels = shape(node.operands[0])[1];
    return is_blocked(node.operands[0]) && channels >= lanes_ && channels % (lanes_ / 2) == 0;
  }

  /// Channels keep their places.
  bool blocks_pad(const Node &node, const Pad &pad) {
    return is_blocked(node.operands[0]) && pad.before[1] == 0;
  }

  /// From channels last to channels first, for ops that want them in blocks.
  bool blocks_transpose(const Node &node, const Transpose &op) {
    auto wants_blocks = [&](const Node &user) {
      return std::holds_alternative<Conv2d>(user.op) || category_of(user.op) == Category::pool;
    };
    bool wanted = false;
    for (const Node &user : graph_.nodes)
      wanted = wanted || (std::find(user.operands.begin(), user.operands.end(), node.results[0]) !=
                              user.operands.end() &&
                          wants_blocks(user));
    return wanted && op.permutation == channels_first && shape(node.results[0])[1] >= lanes_ &&
           !is_blocked(node.operands[0]);
  }

  bool blocks_elementwise(const std::vector<NodeId> &members) {
    for (NodeId member : members)
      for (ValueId operand : graph_.nodes[member].operands)
        if (!graph_.is_constant(operand) && is_blocked(operand))
          return true;
    return false;
  }

  /// The lanes that fill up the last block must not become infinite or NaN: what reads them
  /// multiplies them by zero.
  bool finite_in_padding(const std::vector<NodeId> &members) {
    if (whole_blocks(shape(graph_.nodes[members.front()].results[0])[1]))
      return true;
    return std::all_of(members.begin(), members.end(), [&](NodeId member) {
      const Op &op = graph_.nodes[member].op;
      const auto *binary = std::get_if<Binary>(&op);
      const auto *unary = std::get_if<Unary>(&op);
      return (!binary || binary->row->finite) && (!unary || unary->row->finite);
    });
  }

  const Graph &graph_;
  int64_t lanes_;
  const Recorder &recorder_;
};

} // namespace

bool groups_fill_blocks(const Conv2d &conv, const std::vector<int64_t> &filter, int64_t lanes) {
  const bool depthwise = filter[1] == 1 && filter[0] == conv.groups;
  const bool whole = filter[0] / conv.groups % lanes == 0 && filter[1] % lanes == 0;
  return conv.groups == 1 || depthwise || whole || vectors_of_small_groups(conv, filter, lanes);
}

bool computes_filter(const Graph &graph, const std::vector<NodeId> &members) {
  const Node &last = graph.nodes[members.back()];
  return is_formula(last.op) && reader_of_filter(graph, last.results[0]).has_value();
}

std::vector<Block> choose_blocks(const Graph &graph, const Machine &machine,
                                 const std::vector<NodeId> &members, const Recorder &recorder) {
  return BlockChooser(graph, machine.vector_lanes, recorder).choose(members);
}

void pad_dilated_pools(Graph &graph) {
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    auto *pool = std::get_if<MaxPool2d>(&graph.nodes[id].op);
    if (!pool || pool->dilation == std::array<int64_t, 2>{1, 1} ||
        graph.is_constant(graph.nodes[id].results[0]))
      continue;
    ValueId input = graph.nodes[id].operands[0];
    TensorType padded = graph.type(input);
    Halo halo = halo_of_windows(pool->pad, pool->stride, pool->dilation, pool->kernel, padded.shape,
                                graph.type(graph.nodes[id].results[0]).shape);
    pool->pad = {};
    pool->ceil_mode = false;
    if (halo == Halo{})
      continue;
    Pad pad;
    pad.before = {0, 0, halo[0], halo[1]};
    pad.after = {0, 0, halo[2], halo[3]};
    pad.value = is_float(padded.dtype) ? -std::numeric_limits<double>::infinity()
                                       : static_cast<double>(least_of(padded.dtype));
    padded.shape[2] += halo[0] + halo[2];
    padded.shape[3] += halo[1] + halo[3];
    ValueId result = graph.add_node(pad, {input}, graph.values[input].name + ".pad", padded);
    graph.enclose(graph.value(result).producer);
    graph.set_operand(id, 0, result);
  }
  graph.sort();
}

} // namespace cnnc
