#include "compiler/schedule/convolution.h"

#include "compiler/schedule/prefetch_distance.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/winograd.h"

#include <algorithm>
#include <optional>

namespace cnnc {

namespace {

class Chooser {
public:
  Chooser(const Graph &graph, const Machine &machine)
      : graph_(graph), machine_(machine), lanes_(machine.vector_lanes) {}

  Schedule choose(const std::vector<NodeId> &members) const {
    Schedule schedule;
    const Node &node = graph_.nodes[members.front()];
    const auto &conv = std::get<Conv2d>(node.op);
    const TensorType &type = graph_.type(node.results[0]);
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    if (!blocked(type)) {
      // Channels of a group do not fill vectors: pixels do.
      schedule.tile = {{"ow", lanes_ * 4}};
      schedule.vector = {{"ow", lanes_}};
      schedule.parallel = {"n", "oc", "oh"};
      return schedule;
    }
    if (conv.winograd > 0)
      return schedule_winograd(conv, filter, type.shape, machine_);
    if (conv.groups > 1 && filter[1] == 1)
      return depthwise(node, conv, pooled_pixels(members));
    int64_t group_channels = type.shape[1] / conv.groups;
    int64_t vectors = (group_channels + lanes_ - 1) / lanes_;
    if (type.shape[2] * type.shape[3] == 1)
      return one_pixel(vectors, bytes(filter));
    const TensorType &input = graph_.type(node.operands[0]);
    int64_t pooled = pooled_pixels(members);
    // A fused pool has fewer pixels; a depth_to_space stores those of the convolution.
    const Node &last = graph_.nodes[members.back()];
    const bool shuffles = std::holds_alternative<DepthToSpace>(last.op);
    const std::vector<int64_t> &output = shuffles ? type.shape : graph_.type(last.results[0]).shape;
    int64_t height = output[2], width = output[3];
    RegisterTile tile =
        register_tile(std::max<int64_t>(1, group_channels / lanes_), pooled, machine_);
    // A map narrower than the tile fills it with rows: the weights are then read once for all of
    // them. Not where windows leave out padding, row by row.
    const bool by_rows = conv.padded_rows == PaddedRows::skip;
    if (width <= 14 && pooled == 1 && !by_rows)
      tile = {1, longest_row(machine_)};
    if (width <= 14 && by_rows && tile.vectors % 2 == 0 && machine_.wide_tiles)
      tile = {2, 14};
    const std::optional<int64_t> block = rows_first(node, conv, tile, width);
    // Weights that every few rows fetch from memory again: the tile with the most pixels per load.
    constexpr int64_t few_rows = 4;
    if (block && *block <= few_rows && bytes(filter) > machine_.cache_bytes / 2 &&
        tile.vectors % 2 == 0 && pooled == 1 && machine_.wide_tiles)
      tile = {2, 14};
    int64_t rows = by_rows ? 1 : std::clamp<int64_t>(tile.pixels / width, 1, height);
    schedule.tile = {{"oc", lanes_ * tile.vectors}};
    if (tile.vectors == 1 && rows > 1)
      schedule.tile.push_back({"oh", rows});
    schedule.tile.push_back({"ow", std::min(tile.pixels, width)});
    schedule.vector = {{"oc", lanes_}};
    schedule.unroll = {{"ic", 4}};
    const int64_t tiles_of_image =
        ((height + rows - 1) / rows) * ((width + tile.pixels - 1) / tile.pixels);
    schedule.prefetch =
        prefetch_distance(bytes(filter), std::max<int64_t>(1, type.shape[0]) * tiles_of_image);
    schedule.parallel = {"n", "oc", "oh"};
    if (block) {
      schedule.parallel = {"n", "oh", "oc"};
      if (*block > 1)
        schedule.block = {{"oh", *block}};
    } else if (type.shape[0] > 1 && bytes(filter) > type.shape[0] * bytes_of_image(input)) {
      schedule.parallel = {"oc", "n", "oh"}; // weights serve all images before the next ones
    } else if (keeps_rows(bytes_of_image(input), bytes_of_image(type), filter)) {
      schedule.parallel = {"n", "oh", "oc"};
    }
    return schedule;
  }

private:
  bool blocked(const TensorType &type) const { return type.layout.block_of(1) == lanes_; }

  /// The weights of a tile serve all rows before the next tile's turn comes, for which the input is
  /// read again. Where the input does not stay in the cache, that takes longer than reading the
  /// weights again for every few rows that do: then rows come first, in blocks of so many of their
  /// tiles. Nothing where output channels should come first. `width`: of a row of results.
  std::optional<int64_t> rows_first(const Node &node, const Conv2d &conv, RegisterTile tile,
                                    int64_t width) const {
    const TensorType &input = graph_.type(node.operands[0]);
    const std::vector<int64_t> &result = graph_.type(node.results[0]).shape;
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    const int64_t weights = bytes(filter);
    // Strides can pass over rows and columns that no window reads.
    auto read = [&](size_t i) { return std::min(filter[2 + i], conv.stride[i]); };
    const int64_t image =
        bytes_of_image(input) / (conv.stride[0] * conv.stride[1]) * (read(0) * read(1));
    const int64_t channel_tiles =
        std::max<int64_t>(1, filter[0] / (tile.vectors * lanes_)); // of all groups
    const int64_t tile_rows =
        tile.vectors == 1 ? std::clamp<int64_t>(tile.pixels / width, 1, result[2]) : 1;
    const int64_t tile_weights = weights / channel_tiles;
    if (image / conv.groups <= machine_.cache_bytes)
      return std::nullopt;
    if (weights <= machine_.cache_bytes / 2)
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
      if (row_tiles % block != 0 || rows * row_bytes + tile_weights > machine_.cache_bytes)
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

  /// Whether rows should come first although all fits in the cache: every thread then reads the
  /// rows that it wrote itself in the layer before, instead of half of them from another core's
  /// cache. The weights are read again for every tile of rows, so they must be few, or fewer than
  /// the inputs that are not read again for every tile of channels.
  bool keeps_rows(int64_t input, int64_t result, const std::vector<int64_t> &filter) const {
    const bool pointwise = filter[2] * filter[3] == 1;
    return bytes(filter) < input &&
           (bytes(filter) <= machine_.first_cache_bytes / 2 || (pointwise && result < input));
  }

  static int64_t bytes(const std::vector<int64_t> &shape) {
    return element_count(shape).value_or(0) * static_cast<int64_t>(sizeof(float));
  }

  static int64_t bytes_of_image(const TensorType &type) {
    return bytes({type.shape.begin() + 1, type.shape.end()});
  }

  /// Without pixels to fill the registers, output channels do: sums that do not wait for each
  /// other.
  Schedule one_pixel(int64_t vectors, int64_t weights) const {
    Schedule schedule;
    int64_t channel_vectors = machine_.many_registers() ? 8 : 6;
    while (vectors % channel_vectors != 0)
      --channel_vectors;
    schedule.tile = {{"oc", lanes_ * channel_vectors}, {"ow", 1}};
    schedule.vector = {{"oc", lanes_}};
    schedule.unroll = {{"ic", 4}};
    schedule.parallel = {"n", "oc"};
    schedule.prefetch = prefetch_distance(weights, 1);
    return schedule;
  }

  /// Every input vector is loaded once for all results of the tile that use it, which is why the
  /// window is written out: the vectors that neighbouring windows share stay in registers. Two rows
  /// of pixels share more than one; with a stride or few registers the tile is narrower, as more
  /// inputs are live at a time. `pooled`: results that one result of a fused pool needs.
  Schedule depthwise(const Node &node, const Conv2d &conv, int64_t pooled) const {
    Schedule schedule;
    const TensorType &input = graph_.type(node.operands[0]), &type = graph_.type(node.results[0]);
    const std::vector<int64_t> &filter = graph_.type(node.operands[1]).shape;
    int64_t height = type.shape[2], width = type.shape[3];
    bool wide = machine_.many_registers() && conv.stride[1] == 1;
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
    // A map that the cache does not hold was written row by row, too.
    schedule.parallel = {"n", "oc", "oh"};
    if (bytes_of_image(input) > machine_.cache_bytes)
      schedule.parallel = {"n", "oh", "oc"};
    return schedule;
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

  const Graph &graph_;
  const Machine &machine_;
  const int64_t lanes_;
};

} // namespace

Schedule schedule_convolution(const Graph &graph, const std::vector<NodeId> &members,
                              const Machine &machine) {
  return Chooser(graph, machine).choose(members);
}

} // namespace cnnc
