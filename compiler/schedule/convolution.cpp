#include "compiler/schedule/convolution.h"

#include "compiler/layout/small_groups.h"
#include "compiler/schedule/partial_sums.h"
#include "compiler/schedule/prefetch_distance.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/spelt_loops.h"
#include "compiler/schedule/winograd.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <optional>

namespace cnnc {

namespace {

int64_t bytes(const std::vector<int64_t> &shape, DType dtype) {
  return element_count(shape).value_or(0) * size_of(dtype);
}

int64_t bytes_of_image(const TensorType &type, DType dtype) {
  return bytes({type.shape.begin() + 1, type.shape.end()}, dtype);
}

int64_t channel_unroll(DType input) { return input == DType::i16 ? 2 : 4; }

/// What the decisions on one convolution look at.
struct Problem {
  const Conv2d &conv;
  const TensorType &input, &result; // of the convolution
  const std::vector<int64_t> &filter;
  DType stored;          // what the kernel writes
  int64_t height, width; // of the kernel's result, which a fused pool makes smaller
  int64_t pooled;        // results of the convolution in one of a fused pool
  const Machine &machine;
  const Recorder &recorder;

  int64_t lanes() const { return machine.vector_lanes; }
  int64_t group_channels() const { return result.shape[1] / conv.groups; }
  int64_t images() const { return std::max<int64_t>(1, result.shape[0]); }
  int64_t weight_bytes() const { return bytes(filter, integers() ? DType::i8 : input.dtype); }
  int64_t input_bytes() const { return bytes_of_image(input, input.dtype); }
  int64_t result_bytes() const { return bytes_of_image(result, stored); }
  /// Iterations of the sum over input channels that are written out. Two where products and sums are
  /// two instructions: LLVM makes of sum + a + b + c + d a sum of sums, for which registers are few.
  int64_t unrolled() const { return channel_unroll(input.dtype); }
  bool integers() const { return result.dtype == DType::i32; }
  bool skips_rows() const { return conv.padded_rows == PaddedRows::skip; }
  bool narrow() const { return width <= 14; }
};

Problem problem_of(const Graph &graph, const std::vector<NodeId> &members, const Machine &machine,
                   const Recorder &recorder) {
  const Node &node = graph.nodes[members.front()], &last = graph.nodes[members.back()];
  const TensorType &result = graph.type(node.results[0]);
  const TensorType &stored = graph.type(last.results[0]);
  // A depth_to_space stores the pixels of the convolution.
  const bool same_map = std::holds_alternative<DepthToSpace>(last.op) || stored.rank() != 4;
  const std::vector<int64_t> &output = same_map ? result.shape : stored.shape;
  return {std::get<Conv2d>(node.op),
          graph.type(node.operands[0]),
          result,
          graph.type(node.operands[1]).shape,
          stored.dtype,
          output[2],
          output[3],
          pooled_pixels(graph, members),
          machine,
          recorder};
}

/// Output channels that do not fill vectors: pixels do.
Schedule plain(int64_t lanes, const Recorder &recorder) {
  Schedule schedule;
  schedule.tile = {{"ow", lanes * 4}};
  recorder.note("tile", schedule.tile, "channels do not fill vectors: pixels do");
  schedule.vector = {{"ow", lanes}};
  schedule.parallel = {"n", "oc", "oh"};
  return schedule;
}

/// Without pixels to fill the registers, output channels do.
Schedule one_pixel(const Problem &problem) {
  const int64_t lanes = problem.lanes();
  const int64_t vectors = ceil_div(problem.group_channels(), lanes);
  int64_t channel_vectors = problem.machine.many_registers() ? 8 : 6;
  while (vectors % channel_vectors != 0)
    --channel_vectors;
  Schedule schedule;
  schedule.tile = {{"oc", lanes * channel_vectors}, {"ow", 1}};
  problem.recorder.note("tile", schedule.tile,
                        "one pixel: more channels are sums that do not wait for each other");
  schedule.vector = {{"oc", lanes}};
  schedule.unroll = {{"ic", problem.unrolled()}};
  schedule.parallel = {"n", "oc"};
  schedule.prefetch = prefetch_distance(problem.weight_bytes(), 1, problem.recorder);
  return schedule;
}

/// Every input vector is loaded once for all results of the tile that use it, which is why the
/// window is written out: the vectors that neighbouring windows share stay in registers. Two rows
/// of pixels share more than one; with a stride or few registers the tile is narrower, as more
/// inputs are live at a time.
Schedule depthwise(const Problem &problem) {
  const int64_t lanes = problem.lanes();
  const int64_t height = problem.result.shape[2], width = problem.result.shape[3];
  const bool wide = problem.machine.many_registers() && problem.conv.stride[1] == 1;
  // Odd heights cut the loop over rows in two, and then only channels can be parallel.
  const bool two_rows = problem.pooled == 1 &&
                        (height % 2 == 0 || (height > 1 && problem.result.shape[1] >= 16 * lanes));
  const int64_t columns = (wide ? 7 : 4) * (two_rows ? 1 : 2);
  Schedule schedule;
  schedule.tile = {{"oc", lanes}};
  if (two_rows)
    schedule.tile.push_back({"oh", 2});
  schedule.tile.push_back({"ow", std::max<int64_t>(1, std::min(columns, width) / problem.pooled)});
  schedule.vector = {{"oc", lanes}};
  if (problem.filter[2] <= 3)
    schedule.unroll.push_back({"kh", problem.filter[2]});
  schedule.unroll.push_back({"kw", std::min<int64_t>(problem.filter[3], 7)});
  problem.recorder.note("tile", schedule.tile,
                        two_rows             ? "two rows: neighbouring windows share what they load"
                        : problem.pooled > 1 ? "one row: a fused pool joins rows already"
                                             : "one row: the height is odd, or there is only one");
  schedule.parallel = {"n", "oc", "oh"};
  if (problem.input_bytes() > problem.machine.cache_bytes) {
    problem.recorder.note("order", "n, oh, oc",
                          "the cache does not hold the input, which was written row by row");
    schedule.parallel = {"n", "oh", "oc"};
  }
  return schedule;
}

/// Rows of the result that a tile covers.
int64_t pick_rows(const Problem &problem, const RegisterTile &tile) {
  if (problem.skips_rows())
    return 1;
  return std::clamp<int64_t>(tile.pixels / problem.width, 1, problem.height);
}

/// Groups that do not fill vectors: the tile is as wide as what repeats, and the inputs of a group
/// are written out, since each has its own places in the vectors.
Schedule small_groups(const Problem &problem, int64_t vectors) {
  const int64_t registers =
      problem.machine.tile_registers - std::min<int64_t>(problem.filter[1], 8);
  const int64_t pixels = std::clamp<int64_t>(registers / vectors - 1, 1, 14);
  const RegisterTile tile = {vectors, std::max<int64_t>(1, pixels / problem.pooled)};
  const int64_t rows =
      vectors == 1 && problem.pooled == 1 && problem.narrow() ? pick_rows(problem, tile) : 1;
  Schedule schedule;
  schedule.tile = {{"oc", vectors * problem.lanes()}};
  if (rows > 1)
    schedule.tile.push_back({"oh", rows});
  schedule.tile.push_back({"ow", std::min(tile.pixels, problem.width)});
  schedule.vector = {{"oc", problem.lanes()}};
  schedule.unroll = {{"ic", problem.filter[1]}};
  schedule.parallel = {"n", "oc", "oh"};
  problem.recorder.note("tile", schedule.tile,
                        text("vectors until the pattern of groups repeats: {}", vectors));
  return schedule;
}

/// A tile that reads each weight for as many pixels as it can, with two vectors of them.
constexpr RegisterTile wide_tile = {2, 14};

bool can_be_wide(const Problem &problem, const RegisterTile &tile) {
  return problem.machine.wide_tiles && tile.vectors % 2 == 0;
}

RegisterTile pick_tile(const Problem &problem) {
  Record record = problem.recorder.question("tile", "loads per multiply-add");
  auto choose = [&](const RegisterTile &tile, auto reason) {
    record.choose(tile, reason);
    return tile;
  };
  const RegisterTile usual =
      register_tile(std::max<int64_t>(1, problem.group_channels() / problem.lanes()),
                    problem.pooled, problem.machine, record);
  if (problem.narrow() && problem.integers() && can_be_wide(problem, usual))
    return choose({wide_tile.vectors, wide_tile.pixels / problem.pooled},
                  problem.pooled == 1
                      ? "a narrow map: whole rows; weights of bytes come from near enough"
                      : "a narrow map: weights of bytes come from near enough");
  if (problem.narrow() && !problem.integers() && problem.pooled == 1 && !problem.skips_rows())
    return choose({1, longest_row(problem.machine)},
                  "a narrow map: several rows at a time, which then read the weights once");
  if (problem.narrow() && problem.skips_rows() && can_be_wide(problem, usual))
    return choose(wide_tile, "rows of padding are skipped row by row: the tile is within a row");
  return choose(usual, "the fewest loads of those that fit the registers");
}

/// The weights of a tile serve all rows before the next tile's turn comes, for which the input is
/// read again. Where the input does not stay in the cache, that takes longer than reading the
/// weights again for every few rows that do: then rows come first, in blocks of so many of their
/// tiles. Nothing where output channels should come first.
std::optional<int64_t> block_of_rows(const Problem &problem, const RegisterTile &tile) {
  const auto &[conv, input, result, filter, stored, height, width, pooled, machine, recorder] =
      problem;
  const int64_t weights = problem.weight_bytes();
  // Strides can pass over rows and columns that no window reads.
  auto read = [&](size_t i) { return std::min(filter[2 + i], conv.stride[i]); };
  const int64_t image =
      problem.input_bytes() / (conv.stride[0] * conv.stride[1]) * (read(0) * read(1));
  const int64_t channel_tiles =
      std::max<int64_t>(1, filter[0] / (tile.vectors * machine.vector_lanes)); // of all groups
  const int64_t tile_rows =
      tile.vectors == 1 ? std::clamp<int64_t>(tile.pixels / width, 1, result.shape[2]) : 1;
  const int64_t tile_weights = weights / channel_tiles;
  if (image / conv.groups <= machine.cache_bytes)
    return std::nullopt;
  Record record = recorder.question("rows at a time", "bytes from beyond the cache");
  if (weights <= machine.cache_bytes / 2) {
    record.choose("1", "the input does not stay in the cache, the weights do");
    return 1;
  }
  // An input row is read vector by vector, from as many places as it has channel vectors: from
  // beyond the cache that takes this many times as long as reading weights, front to back.
  constexpr int64_t scattered = 2;
  const int64_t row_tiles = ceil_div(result.shape[2], tile_rows);
  const int64_t row_bytes = image / std::max<int64_t>(1, input.shape[2]);
  const int64_t window_rows = (filter[2] - 1) * conv.dilation[0] + 1;
  std::optional<int64_t> best;
  int64_t least = weights + scattered * channel_tiles * (image / conv.groups);
  record.candidate("all", static_cast<double>(least), "the input again for every tile of channels");
  for (int64_t block = 1; block <= row_tiles; ++block) {
    const int64_t rows = (block * tile_rows - 1) * conv.stride[0] + window_rows;
    if (row_tiles % block != 0 || rows * row_bytes + tile_weights > machine.cache_bytes)
      continue;
    const int64_t blocks = row_tiles / block;
    const int64_t traffic = blocks * (weights + scattered * rows * row_bytes);
    record.candidate(text("{}", block * tile_rows), static_cast<double>(traffic));
    if (traffic < least) {
      least = traffic;
      best = block;
    }
  }
  if (best)
    record.choose(text("{}", *best * tile_rows), "they stay in the cache for all channels");
  else
    record.choose("all", "reading the weights again would take longer");
  return best;
}

/// Weights that every few rows fetch from memory again want the tile with the most pixels per load.
bool reads_far_weights(const Problem &problem, const std::optional<int64_t> &block) {
  constexpr int64_t few_rows = 4;
  return block && *block <= few_rows && problem.weight_bytes() > problem.machine.cache_bytes / 2 &&
         problem.pooled == 1;
}

/// Whether rows should come first although all fits in the cache: every thread then reads the
/// rows that it wrote itself in the layer before, instead of half of them from another core's
/// cache. The weights are read again for every tile of rows, so they must be few, or fewer than
/// the inputs that are not read again for every tile of channels.
bool keeps_rows(const Problem &problem) {
  const int64_t weights = problem.weight_bytes(), input = problem.input_bytes();
  const bool pointwise = problem.filter[2] * problem.filter[3] == 1;
  return weights < input && (weights <= problem.machine.first_cache_bytes / 2 ||
                             (pointwise && problem.result_bytes() < input));
}

/// The order of the tiles, the last loop changing fastest.
std::vector<LoopName> pick_order(const Problem &problem, const std::optional<int64_t> &block) {
  auto order = [&](std::vector<LoopName> loops, std::string_view reason) {
    problem.recorder.note("order", loops, reason);
    return loops;
  };
  if (block)
    return order({"n", "oh", "oc"}, "the rows of a block stay in the cache for all channels");
  const int64_t images = problem.result.shape[0];
  if (images > 1 && problem.weight_bytes() > images * problem.input_bytes())
    return order({"oc", "n", "oh"}, "weights serve all images before the next ones");
  if (keeps_rows(problem))
    return order({"n", "oh", "oc"}, "each thread reads the rows that it wrote in the layer before");
  return order({"n", "oc", "oh"}, "weights serve all rows before the next ones");
}

/// Register tiles of vectors of output channels times pixels.
Schedule tiled(const Problem &problem) {
  RegisterTile tile = pick_tile(problem);
  const std::optional<int64_t> block = block_of_rows(problem, tile);
  if (reads_far_weights(problem, block) && can_be_wide(problem, tile)) {
    tile = wide_tile;
    problem.recorder.note("tile", tile, "few rows share weights that come from beyond the cache");
  }
  const int64_t rows = pick_rows(problem, tile);
  Schedule schedule;
  schedule.tile = {{"oc", problem.lanes() * tile.vectors}};
  if ((tile.vectors == 1 || problem.integers()) && rows > 1)
    schedule.tile.push_back({"oh", rows});
  schedule.tile.push_back({"ow", std::min(tile.pixels, problem.width)});
  schedule.vector = {{"oc", problem.lanes()}};
  schedule.unroll = {{"ic", problem.unrolled()}};
  schedule.parallel = pick_order(problem, block);
  if (block.value_or(1) > 1)
    schedule.block = {{"oh", *block}};
  const int64_t tiles_of_image =
      ceil_div(problem.height, rows) * ceil_div(problem.width, tile.pixels);
  schedule.prefetch = prefetch_distance(problem.weight_bytes(), problem.images() * tiles_of_image,
                                        problem.recorder, problem.integers());
  return schedule;
}

} // namespace

Schedule schedule_convolution(const Graph &graph, const std::vector<NodeId> &members,
                              const Machine &machine, const Recorder &recorder) {
  const bool integers = graph.type(graph.nodes[members.front()].results[0]).dtype == DType::i32;
  const Machine core = integers ? machine.for_integers() : machine;
  const Problem problem = problem_of(graph, members, core, recorder);
  const std::vector<int64_t> &result = problem.result.shape, &filter = problem.filter;
  const bool blocked = problem.result.layout.block_of(1) == machine.vector_lanes;
  if (blocked && problem.conv.winograd > 0)
    return schedule_winograd(problem.conv, filter, result, machine, recorder);
  if (std::optional<int64_t> vectors =
          blocked ? vectors_of_small_groups(problem.conv, filter, machine.vector_lanes)
                  : std::nullopt)
    return small_groups(problem, *vectors);
  Schedule schedule;
  if (!blocked)
    schedule = plain(machine.vector_lanes, recorder);
  else if (problem.conv.groups > 1 && filter[1] == 1)
    schedule = depthwise(problem);
  else
    schedule = result[2] * result[3] == 1 ? one_pixel(problem) : tiled(problem);
  if (problem.result.dtype == DType::f32) // sums of integers are exact
    schedule.partial = partial_sums("ic", filter[1], problem.input.layout.block_of(1),
                                    filter[2] * filter[3], recorder);
  return schedule;
}

Schedule schedule_local(const TensorType &input, const std::vector<int64_t> &filter, int64_t lanes,
                        const Recorder &recorder) {
  Schedule schedule;
  schedule.tile = {{"oc", lanes}};
  recorder.note("tile", schedule.tile, "every pixel has weights of its own");
  schedule.vector = {{"oc", lanes}};
  schedule.parallel = {"n", "oc", "oh"};
  schedule.partial =
      partial_sums("ic", filter[3], input.layout.block_of(1), filter[4] * filter[5], recorder);
  return schedule;
}

Schedule schedule_dense(const TensorType &input, const TensorType &result,
                        const TensorType &weights, const Machine &machine,
                        const Recorder &recorder) {
  const int64_t lanes = machine.vector_lanes, images = result.shape[0];
  const int64_t weight_bytes = bytes(weights.shape, weights.dtype);
  Schedule schedule;
  schedule.vector = {{"oc", lanes}};
  schedule.unroll = {{"ic", channel_unroll(input.dtype)}};
  if (weights.dtype == DType::f32) // sums of integers are exact
    schedule.partial = partial_sums("ic", weights.shape[1], input.layout.block_of(1), 1, recorder);
  if (images <= 1) {
    schedule.prefetch = prefetch_distance(weight_bytes, 1, recorder);
    schedule.tile = {{"oc", lanes * 4}};
    recorder.note("tile", schedule.tile, "one image reads every weight once: whole cache lines");
    schedule.parallel = {"n", "oc"};
    return schedule;
  }
  Record record = recorder.question("tile", "loads per multiply-add");
  RegisterTile tile =
      register_tile(std::max<int64_t>(1, result.shape[1] / lanes), 1, machine, record);
  record.choose(tile, "the fewest loads of those that fit the registers; images are its pixels");
  schedule.tile = {{"n", std::min(images, tile.pixels)}, {"oc", lanes * tile.vectors}};
  schedule.prefetch = prefetch_distance(weight_bytes, ceil_div(images, tile.pixels), recorder);
  schedule.parallel = {"oc", "n"};
  return schedule;
}

} // namespace cnnc
