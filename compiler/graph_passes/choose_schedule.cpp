// Decides how the loops of every kernel are cut: the policy that tile_loops and its neighbours
// obey.
//
//   kernel @c(..) -> (%c) {                       kernel @c(..) -> (%c) schedule(vector=oc:16,
//     %c = conv2d ... nchw16c               ->        tile=[oc:64, ow:6], unroll=ic:4,
//     parallel=[n, oc, oh]) {
//   }                                               %c = conv2d ...
//
// A convolution computes a register tile of output channels times pixels. It is as large as the
// registers allow, since every vector of weights is then used for all pixels and every pixel for
// all vectors; one register too many spills and costs half the speed. Kernels that have a schedule
// keep it.
#include "compiler/cost.h"
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/graph_passes/rewrite.h"
#include "compiler/graph_passes/schedule_matmul.h"
#include "compiler/graph_passes/schedule_moves.h"
#include "compiler/graph_passes/schedule_reduction.h"
#include "compiler/graph_passes/schedule_winograd.h"
#include "compiler/halo.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <optional>

namespace cnnc {

namespace {

/// Below this many operations a kernel is not worth waking a second thread.
constexpr int64_t parallel_threshold = 200'000;

class Chooser {
public:
  Chooser(const Graph &graph, PassContext &context)
      : graph_(graph), lanes_(context.machine.vector_lanes),
        registers_(context.machine.vector_registers), cache_bytes_(context.machine.cache_bytes),
        machine_(context.machine) {}

  Schedule choose(const std::vector<NodeId> &members) {
    Schedule schedule;
    const Node &anchor = graph_.nodes[members.front()];
    const TensorType &result = graph_.type(graph_.nodes[members.back()].results[0]);
    std::visit(
        overloaded{[&](const Conv2d &conv) { convolution(schedule, anchor, conv, members); },
                   [&](const Local2d &) { local(schedule); },
                   [&](const Dense &) { dense(schedule, result); },
                   [&](const MaxPool2d &op) { pool(schedule, op, op.dilation, members); },
                   [&](const AvgPool2d &op) {
                     pool(schedule, op, {1, 1}, members);
                   },
                   [&](const MaxPool2dIndices &) {
                     schedule.parallel = {"n", "c", "oh"};
                   },
                   [&](const GlobalAvgPool2d &) { global_pool(schedule, result); },
                   [&](const Unary &) { elementwise(schedule, result); },
                   [&](const Binary &) { elementwise(schedule, result); },
                   [&](const Where &) { elementwise(schedule, result); },
                   [&](const Cast &) { elementwise(schedule, result); },
                   [&](const Resize2d &) { resize(schedule, result); },
                   [&](const Gather &op) { gather(schedule, anchor, op); },
                   [&](const Concat &) { elementwise(schedule, result); },
                   [&](const Slice &) { elementwise(schedule, result); },
                   [&](const Pad &) { elementwise(schedule, result); },
                   [&](const Transpose &op) {
                     schedule =
                         schedule_transpose(graph_.type(anchor.operands[0]), result, op, lanes_);
                   },
                   [&](const DepthToSpace &) {
                     schedule = schedule_pixels(result, result.shape[1], lanes_);
                   },
                   [&](const SpaceToDepth &) {
                     const int64_t channels = graph_.type(anchor.operands[0]).shape[1];
                     schedule = schedule_pixels(result, channels, lanes_);
                   },
                   [&](const Relayout &) { relayout(schedule, anchor); },
                   [&](const Matmul &) { schedule = matmul(anchor); },
                   [&](const Expand &) { elementwise(schedule, result); },
                   [&](const Lrn &) {
                     // Channels are summed over: lanes are other dimensions.
                     if (result.rank() > 2 && !blocked(result))
                       elementwise(schedule, result);
                   },
                   // Others, unless they are reductions: scalar loops as lowering makes them.
                   [&](const auto &) { reduction(schedule, members); }},
        anchor.op);
    if (work(members) < parallel_threshold)
      schedule.parallel.clear();
    return schedule;
  }

  /// The schedule of a kernel that computes the filter of a convolution, whose tile says how the
  /// filter will lie: output channels innermost.
  void filter(Schedule &schedule, const std::vector<NodeId> &members) const {
    const Node &last = graph_.nodes[members.back()];
    bool elementwise =
        std::holds_alternative<Unary>(last.op) || std::holds_alternative<Binary>(last.op);
    std::optional<NodeId> reader =
        elementwise ? reader_of_filter(graph_, last.results[0]) : std::nullopt;
    if (!reader || graph_.nodes[*reader].kernel == no_id)
      return;
    for (const LoopFactor &tile : graph_.kernels[graph_.nodes[*reader].kernel].schedule.tile)
      if (tile.loop == "oc" && tile.size % lanes_ == 0) {
        schedule.tile = {{"n", tile.size}, {"c", lanes_}};
        schedule.vector = {{"n", lanes_}};
        if (!schedule.parallel.empty())
          schedule.parallel = {"n", "c"};
      }
  }

  /// Why a kernel with this schedule will be slow and what would help; empty when it is not, or so
  /// small that it does not matter.
  std::string slow_path(const std::vector<NodeId> &members, const Schedule &schedule) const {
    constexpr int64_t noticeable = 1'000'000; // operations, about a millisecond one after the other
    const Node &anchor = graph_.nodes[members.front()];
    if (std::holds_alternative<Relayout>(anchor.op) || work(members) < noticeable)
      return {};
    const TensorType &type = graph_.type(anchor.results[0]);
    const auto *conv = std::get_if<Conv2d>(&anchor.op);
    if (conv && !blocked(type))
      return fmt::format("{} groups of {} channels do not fill vectors of {}, and are computed on "
                         "plain NCHW; groups of a multiple of {} channels would be faster",
                         conv->groups, graph_.type(anchor.operands[1]).shape[1], lanes_, lanes_);
    bool pool = std::holds_alternative<MaxPool2d>(anchor.op) ||
                std::holds_alternative<AvgPool2d>(anchor.op) ||
                std::holds_alternative<GlobalAvgPool2d>(anchor.op);
    if (schedule.vector.empty())
      return fmt::format("{} of {} is computed without vectors{}", info_of(anchor.op).name,
                         to_string(graph_.type(anchor.operands[0])),
                         pool ? fmt::format("; {} channels or more would be faster", lanes_) : "");
    return {};
  }

private:
  bool blocked(const TensorType &type) const { return type.layout.block_of(1) == lanes_; }

  int64_t work(const std::vector<NodeId> &members) const {
    int64_t result = 0;
    for (NodeId member : members) {
      const Node &node = graph_.nodes[member];
      result += multiplications(graph_, node);
      for (ValueId operand : node.operands)
        result += element_count(graph_.type(operand).shape).value_or(0);
    }
    return result;
  }

  void convolution(Schedule &schedule, const Node &node, const Conv2d &conv,
                   const std::vector<NodeId> &members) {
    const TensorType &type = graph_.type(node.results[0]);
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    if (!blocked(type)) {
      // Channels of a group do not fill vectors: pixels do.
      schedule.tile = {{"ow", lanes_ * 4}};
      schedule.vector = {{"ow", lanes_}};
      schedule.parallel = {"n", "oc", "oh"};
      return;
    }
    if (conv.winograd > 0) {
      schedule = schedule_winograd(conv, filter, type.shape, machine_);
      return;
    }
    if (conv.groups > 1 && filter[1] == 1)
      return depthwise(schedule, type, conv, filter, pooled_pixels(members));
    int64_t group_channels = type.shape[1] / conv.groups;
    int64_t vectors = (group_channels + lanes_ - 1) / lanes_;
    if (type.shape[2] * type.shape[3] == 1)
      return one_pixel(schedule, vectors);
    int64_t pooled = pooled_pixels(members);
    // A fused pool has fewer pixels; a depth_to_space stores those of the convolution.
    const Node &last = graph_.nodes[members.back()];
    const bool shuffles = std::holds_alternative<DepthToSpace>(last.op);
    const std::vector<int64_t> &output = shuffles ? type.shape : graph_.type(last.results[0]).shape;
    int64_t height = output[2], width = output[3];
    RegisterTile tile = register_tile(std::max<int64_t>(1, group_channels / lanes_), pooled);
    // A map narrower than the tile fills it with rows: the weights are then read once for all of
    // them.
    if (width <= 14 && pooled == 1)
      tile = {1, registers_ >= 32 ? 28 : free_registers() - 1};
    const std::optional<int64_t> block = rows_first(node, conv, tile, width);
    // Weights that come from beyond the cache serve as many pixels as there are registers for.
    if (block && bytes(filter) > cache_bytes_ / 2 && tile.vectors % 2 == 0 && pooled == 1 &&
        registers_ >= 32)
      tile = {2, 14};
    int64_t rows = std::clamp<int64_t>(tile.pixels / width, 1, height);
    schedule.tile = {{"oc", lanes_ * tile.vectors}};
    if (tile.vectors == 1 && rows > 1)
      schedule.tile.push_back({"oh", rows});
    schedule.tile.push_back({"ow", std::min(tile.pixels, width)});
    schedule.vector = {{"oc", lanes_}};
    schedule.unroll = {{"ic", 4}};
    const TensorType &input = graph_.type(node.operands[0]);
    schedule.parallel = {"n", "oc", "oh"};
    if (block) {
      schedule.parallel = {"n", "oh", "oc"};
      if (*block > 1)
        schedule.block = {{"oh", *block}};
    } else if (type.shape[0] > 1 && bytes(filter) > type.shape[0] * bytes_of_image(input)) {
      schedule.parallel = {"oc", "n", "oh"}; // weights serve all images before the next ones
    }
  }

  /// Vectors of output channels times pixels. `pixels` are those of a fused pool, if there is one.
  struct RegisterTile {
    int64_t vectors, pixels;
  };

  /// The weights of a tile serve all rows before the next tile's turn comes, for which the input is
  /// read again. Where the input does not stay in the cache, that takes longer than reading the
  /// weights again for every few rows that do: then rows come first, in blocks of so many of their
  /// tiles. Nothing where output channels should come first. `width`: of a row of results.
  std::optional<int64_t> rows_first(const Node &node, const Conv2d &conv, RegisterTile tile,
                                    int64_t width) const {
    const TensorType &input = graph_.type(node.operands[0]);
    const std::vector<int64_t> &result = graph_.type(node.results[0]).shape;
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const int64_t weights = bytes(filter), image = bytes_of_image(input);
    const int64_t channel_tiles =
        std::max<int64_t>(1, filter[0] / (tile.vectors * lanes_)); // of all groups
    const int64_t tile_rows =
        tile.vectors == 1 ? std::clamp<int64_t>(tile.pixels / width, 1, result[2]) : 1;
    const int64_t tile_weights = weights / channel_tiles;
    if (image / conv.groups <= cache_bytes_)
      return std::nullopt;
    if (weights <= cache_bytes_ / 2)
      return 1;
    // An input row is read vector by vector, from as many places as it has channel vectors: from
    // beyond the cache that takes this many times as long as reading weights, front to back.
    constexpr int64_t scattered = 2;
    const int64_t row_tiles = (result[2] + tile_rows - 1) / tile_rows;
    const int64_t row_bytes = image / std::max<int64_t>(1, input.shape[2]);
    const int64_t window_rows = (filter[2] - 1) * conv.dilation[0] + 1;
    std::optional<int64_t> best;
    int64_t least = weights + scattered * channel_tiles * (image / conv.groups);
    for (int64_t block = 1; block <= row_tiles; ++block) {
      const int64_t rows = (block * tile_rows - 1) * conv.stride[0] + window_rows;
      if (row_tiles % block != 0 || rows * row_bytes + tile_weights > cache_bytes_)
        continue;
      const int64_t blocks = row_tiles / block;
      const int64_t traffic = blocks * (weights + scattered * rows * row_bytes);
      if (traffic < least) {
        least = traffic;
        best = block;
      }
    }
    return best;
  }

  static int64_t bytes(const std::vector<int64_t> &shape) {
    return element_count(shape).value_or(0) * static_cast<int64_t>(sizeof(float));
  }

  static int64_t bytes_of_image(const TensorType &type) {
    return bytes({type.shape.begin() + 1, type.shape.end()});
  }

  /// Registers for accumulators and weights. The rest holds inputs on their way to all lanes and,
  /// where additions do not multiply as well (SSE), a product.
  int64_t free_registers() const { return registers_ >= 32 ? 28 : lanes_ >= 8 ? 15 : 14; }

  /// The tile with the fewest loads per multiplication among those that fit the registers; with
  /// one vector there are as many loads whatever its length, and a long one only waits for its end.
  /// `vectors`: what a tile's number has to divide; `pooled`: results that one result of a fused
  /// pool needs.
  RegisterTile register_tile(int64_t vectors, int64_t pooled) const {
    RegisterTile best = {1, 1};
    double least = std::numeric_limits<double>::infinity();
    for (int64_t count = 1; count <= 8; ++count) {
      int64_t pixels = std::min<int64_t>(14, (free_registers() - count) / count) / pooled;
      if (vectors % count != 0 || pixels < 1)
        continue;
      double loads = 1.0 / static_cast<double>(count) + 1.0 / static_cast<double>(pixels * pooled);
      if (loads < least) {
        least = loads;
        best = {count, pixels};
      }
    }
    return best;
  }

  /// Without pixels to fill the registers, output channels do: sums that do not wait for each
  /// other.
  void one_pixel(Schedule &schedule, int64_t vectors) const {
    int64_t channel_vectors = registers_ >= 32 ? 8 : 6;
    while (vectors % channel_vectors != 0)
      --channel_vectors;
    schedule.tile = {{"oc", lanes_ * channel_vectors}, {"ow", 1}};
    schedule.vector = {{"oc", lanes_}};
    schedule.unroll = {{"ic", 4}};
    schedule.parallel = {"n", "oc"};
  }

  /// Every input vector is loaded once for all results of the tile that use it, which is why the
  /// window is written out: the vectors that neighbouring windows share stay in registers. Two rows
  /// of pixels share more than one; with a stride or few registers the tile is narrower, as more
  /// inputs are live at a time. `pooled`: results that one result of a fused pool needs.
  void depthwise(Schedule &schedule, const TensorType &type, const Conv2d &conv,
                 const std::vector<int64_t> &filter, int64_t pooled) {
    int64_t height = type.shape[2], width = type.shape[3];
    bool wide = registers_ >= 32 && conv.stride[1] == 1;
    // Odd heights cut the loop over rows in two, and then only channels can be parallel.
    bool two_rows =
        pooled == 1 && (height % 2 == 0 || (height > 1 && type.shape[1] >= 16 * lanes_));
    int64_t columns = (wide ? 7 : 4) * (two_rows ? 1 : 2);
    schedule.tile = {{"oc", lanes_}};
    if (two_rows)
      schedule.tile.push_back({"oh", 2});
    schedule.tile.push_back({"ow", std::max<int64_t>(1, std::min(columns, width) / pooled)});
    schedule.vector = {{"oc", lanes_}};
    if (filter[2] <= 3)
      schedule.unroll.push_back({"kh", filter[2]});
    schedule.unroll.push_back({"kw", std::min<int64_t>(filter[3], 7)});
    schedule.parallel = {"n", "oc", "oh"};
  }

  /// Convolution results that one result of a fused pool needs.
  int64_t pooled_pixels(const std::vector<NodeId> &members) const {
    int64_t pixels = 1;
    for (NodeId member : members) {
      if (const auto *pool = std::get_if<MaxPool2d>(&graph_.nodes[member].op))
        pixels = pool->kernel[0] * pool->kernel[1];
      if (const auto *pool = std::get_if<AvgPool2d>(&graph_.nodes[member].op))
        pixels = pool->kernel[0] * pool->kernel[1];
    }
    return pixels;
  }

  void local(Schedule &schedule) {
    schedule.tile = {{"oc", lanes_}};
    schedule.vector = {{"oc", lanes_}};
    schedule.parallel = {"n", "oc", "oh"};
  }

  /// One image reads every weight once: whole cache lines of several vectors of outputs. Several
  /// images are the pixels of a register tile, and share the weights while those are in the cache.
  void dense(Schedule &schedule, const TensorType &type) const {
    schedule.vector = {{"oc", lanes_}};
    schedule.unroll = {{"ic", 4}};
    const int64_t images = type.shape[0];
    if (images <= 1) {
      schedule.tile = {{"oc", lanes_ * 4}};
      schedule.parallel = {"n", "oc"};
      return;
    }
    RegisterTile tile = register_tile(std::max<int64_t>(1, type.shape[1] / lanes_), 1);
    schedule.tile = {{"n", std::min(images, tile.pixels)}, {"oc", lanes_ * tile.vectors}};
    schedule.parallel = {"oc", "n"};
  }

  /// Vectors of channels times a few neighbouring columns, which share what they read. Windows that
  /// are clipped (all of them where more ops follow in the kernel) have no loops to write out.
  template <class Pool>
  void pool(Schedule &schedule, const Pool &op, std::array<int64_t, 2> dilation,
            const std::vector<NodeId> &members) {
    const Node &node = graph_.nodes[members.front()];
    const TensorType &input = graph_.type(node.operands[0]), &type = graph_.type(node.results[0]);
    schedule.parallel = {"n", "c", "oh"};
    if (!blocked(type))
      return;
    schedule.tile = {{"c", lanes_}};
    schedule.vector = {{"c", lanes_}};
    PositionRange inner[2];
    bool clipped = false;
    for (size_t i = 0; i < 2; ++i) {
      inner[i] = inner_positions(op.pad[i], op.stride[i], dilation[i], op.kernel[i],
                                 input.shape[2 + i], type.shape[2 + i]);
      clipped = clipped || inner[i].first > 0 || inner[i].end < type.shape[2 + i];
    }
    if (inner[1].first >= inner[1].end || (clipped && members.size() > 1))
      return;
    int64_t columns = std::min<int64_t>(registers_ >= 32 ? 8 : 4, inner[1].end - inner[1].first);
    schedule.tile.push_back({"ow", columns});
    schedule.unroll = {{"kw", std::min<int64_t>(op.kernel[1], 7)}};
  }

  /// Several vectors of channels at a time: sums of their own, so that no addition waits for the
  /// one before.
  void global_pool(Schedule &schedule, const TensorType &type) {
    schedule.parallel = {"n", "c"};
    if (!blocked(type))
      return;
    int64_t vectors = type.shape[1] / lanes_;
    schedule.tile = {{"c", lanes_ * (vectors >= 16 ? 4 : vectors >= 8 ? 2 : 1)}};
    schedule.vector = {{"c", lanes_}};
  }

  void elementwise(Schedule &schedule, const TensorType &type) {
    std::vector<std::string> names = {"n", "c", "h", "w"};
    if (type.rank() != 4) {
      names.clear();
      for (size_t i = 0; i < type.rank(); ++i)
        names.push_back("d" + std::to_string(i));
      if (type.rank() == 2)
        names = {"n", "c"};
    }
    if (type.rank() == 0)
      return;
    if (blocked(type)) {
      schedule.tile = {{"c", lanes_}, {"w", 4}};
      schedule.vector = {{"c", lanes_}};
    } else {
      schedule.tile = {{names.back(), lanes_ * 4}};
      schedule.vector = {{names.back(), lanes_}};
    }
    schedule.parallel.assign(names.begin(), names.end() - 1);
  }

  /// Blocked, whole vectors are weighted. Otherwise every lane reads elements of its own, and one
  /// vector of them is enough code.
  void resize(Schedule &schedule, const TensorType &type) {
    elementwise(schedule, type);
    if (!blocked(type))
      schedule.tile = {{"w", lanes_}};
  }

  /// Lanes along the last dimension where they lie side by side in the input, too.
  void gather(Schedule &schedule, const Node &node, const Gather &op) {
    const TensorType &input = graph_.type(node.operands[0]);
    elementwise(schedule, graph_.type(node.results[0]));
    if (*normalized_axis(op.axis, input.rank()) + 1 == input.rank()) {
      schedule.tile.clear();
      schedule.vector.clear();
    }
  }

  void reduction(Schedule &schedule, const std::vector<NodeId> &members) const {
    const Node &node = graph_.nodes[members[0]];
    if (members.size() == 1 && !reduced_axes(graph_, node).empty())
      schedule = schedule_reduction(graph_, node, lanes_, registers_);
  }

  Schedule matmul(const Node &node) const {
    return schedule_matmul(graph_.type(node.operands[0]), graph_.type(node.results[0]),
                           {lanes_, free_registers(), cache_bytes_});
  }

  void relayout(Schedule &schedule, const Node &node) {
    const TensorType &from = graph_.type(node.operands[0]);
    const TensorType &to = graph_.type(node.results[0]);
    if (from.layout.blocks == to.layout.blocks)
      return elementwise(schedule, to);
    if (to.rank() != 4)
      return;
    schedule.parallel = {"n", "c", "h"};
    if (to.shape[2] * to.shape[3] == 1) { // the same order in both layouts
      schedule.tile = {{"c", lanes_ * 4}};
      schedule.vector = {{"c", lanes_}};
    } else if (blocked(to)) {
      // Whole vectors are written, so that no cache line is visited twice.
      schedule.tile = {{"c", lanes_}, {"w", 4}};
      schedule.vector = {{"c", lanes_}};
    } else if (blocked(from)) {
      // A tile reads whole blocks and writes vectors of a row for each of their channels.
      schedule.tile = {{"c", lanes_}, {"w", lanes_}};
      schedule.vector = {{"w", lanes_}};
    }
  }

  const Graph &graph_;
  int64_t lanes_;
  int64_t registers_;
  int64_t cache_bytes_;
  Machine machine_;
};

/// Kernels that are slow, one line for all that are so for one reason.
class SlowPaths {
public:
  void add(const std::string &kernel, const std::string &reason) {
    if (reason.empty())
      return;
    auto same = std::find_if(groups_.begin(), groups_.end(),
                             [&](const Group &group) { return group.reason == reason; });
    if (same == groups_.end())
      groups_.push_back({kernel, reason, 0});
    else
      ++same->others;
  }
  void report(const std::function<void(std::string)> &remark) const {
    for (const Group &group : groups_)
      remark(fmt::format("slow: @{}{}: {}", spell_name(group.first),
                         group.others > 0 ? fmt::format(" and {} more", group.others) : "",
                         group.reason));
  }

private:
  struct Group {
    std::string first, reason;
    int others;
  };
  std::vector<Group> groups_;
};

} // namespace

bool choose_schedule(Graph &graph, PassContext &context) {
  std::vector<std::vector<NodeId>> members = kernel_members(graph);
  Chooser chooser(graph, context);
  SlowPaths slow;
  std::vector<KernelId> chosen;
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    if (graph.kernels[id].schedule.empty()) {
      graph.kernels[id].schedule = chooser.choose(members[id]);
      chosen.push_back(id);
    }
  for (KernelId id : chosen) {
    chooser.filter(graph.kernels[id].schedule, members[id]);
    slow.add(graph.kernels[id].name, chooser.slow_path(members[id], graph.kernels[id].schedule));
  }
  if (context.remark)
    slow.report(context.remark);
  return true;
}

} // namespace cnnc
