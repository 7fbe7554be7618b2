#include "compiler/schedule/filter_gradient.h"

#include "compiler/layout/small_groups.h"
#include "compiler/schedule/spelt_loops.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <limits>

namespace cnnc {

namespace {

constexpr int64_t float_bytes = sizeof(float);

struct Problem {
  const Conv2dFilterGradient &op;
  const TensorType &input, &gradient;
  const std::vector<int64_t> filter; // shape of the result
  const Machine &machine;

  int64_t lanes() const { return machine.vector_lanes; }
  int64_t vectors() const { return ceil_div(filter[0], lanes()); }
  bool depthwise() const { return op.groups > 1 && filter[1] == 1 && filter[0] == op.groups; }
  int64_t input_block() const { return input.layout.block_of(1); }
  /// Input channels of a block, all of a group where they lie in none.
  int64_t channels() const {
    return input_block() > 1 ? std::min(input_block(), filter[1]) : filter[1];
  }
  int64_t blocks() const { return input_block() > 1 ? ceil_div(filter[1], input_block()) : 1; }
};

struct Tile {
  int64_t vectors = 1, ic = 1, kh = 1, kw = 1;
  int64_t factors() const { return ic * kh * kw; }
};

/// What a multiplication loads: a vector of the gradient serves all factors of the input, and each
/// of these all vectors. The vectors may come from the second cache, the factors are neighbours of
/// what is in the first already.
double loads_per_multiplication(const Problem &problem, const Tile &tile) {
  constexpr double far = 4;
  const double vectors = far / static_cast<double>(tile.factors());
  // Depthwise, a factor is a vector, too, and serves once.
  return vectors + (problem.depthwise() ? 1 : 1 / static_cast<double>(tile.vectors));
}

/// Vectors of output channels that a tile may have: they belong to one group, or begin with one.
std::vector<int64_t> possible_vectors(const Problem &problem) {
  Conv2d conv;
  conv.groups = problem.op.groups;
  if (std::optional<int64_t> small = vectors_of_small_groups(conv, problem.filter, problem.lanes()))
    return {*small};
  if (problem.depthwise())
    return {1};
  std::vector<int64_t> result;
  for (int64_t count = 1; count <= 8; ++count)
    if (problem.vectors() / problem.op.groups % count == 0)
      result.push_back(count);
  return result;
}

/// The tile with the fewest loads of those whose accumulators and vectors fit the registers.
Tile pick_tile(const Problem &problem) {
  const int64_t channels = problem.channels(), rows = problem.filter[2],
                columns = problem.filter[3];
  Tile best;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t vectors : possible_vectors(problem))
    for (int64_t ic = 1; ic <= channels; ++ic)
      for (int64_t kw = 1; kw <= columns; ++kw)
        for (int64_t kh : {int64_t(1), kw == columns ? rows : 1}) {
          const Tile tile = {vectors, ic, kh, kw};
          if (channels % ic != 0 || columns % kw != 0 ||
              vectors * (tile.factors() + 1) > problem.machine.tile_registers)
            continue;
          const double loads = loads_per_multiplication(problem, tile);
          if (loads < least) {
            least = loads;
            best = tile;
          }
        }
  return best;
}

/// Rows of the gradient in a part of a sum: what they and their windows take is in the first cache
/// for all tiles of a task, and no sum has more than some hundred products.
int64_t pick_rows(const Problem &problem, const Tile &tile, int64_t channels) {
  constexpr int64_t most_products = 256;
  const std::vector<int64_t> &gradient = problem.gradient.shape;
  const int64_t window = (problem.filter[2] - 1) * problem.op.dilation[0] + 1;
  auto bytes = [&](int64_t rows) {
    const int64_t input_rows = (rows - 1) * problem.op.stride[0] + window;
    return float_bytes * (rows * gradient[3] * tile.vectors * problem.lanes() +
                          input_rows * problem.input.shape[3] * channels);
  };
  int64_t rows = std::clamp<int64_t>(most_products / gradient[3], 1, gradient[2]);
  while (rows > 1 && bytes(rows) > problem.machine.first_cache_bytes)
    --rows;
  return ceil_div(gradient[2], ceil_div(gradient[2], rows));
}

/// Parts of the images that have totals of their own: enough tasks for threads, and as many as the
/// second cache holds. What a task has read of an image is there then for the next one.
int64_t pick_images(const Problem &problem, int64_t tasks) {
  constexpr int64_t enough_tasks = 16, most_parts = 32;
  const int64_t images = problem.gradient.shape[0];
  const int64_t bytes = float_bytes * element_count(problem.filter).value_or(0);
  const int64_t cached =
      std::min(most_parts, problem.machine.cache_bytes / std::max<int64_t>(1, bytes));
  const int64_t parts = std::max({int64_t(1), ceil_div(enough_tasks, tasks), cached});
  return ceil_div(images, std::min(parts, images));
}

} // namespace

Schedule schedule_filter_gradient(const Conv2dFilterGradient &op, const TensorType &input,
                                  const TensorType &gradient, const Machine &machine,
                                  const Recorder &recorder) {
  const Problem problem = {
      op,
      input,
      gradient,
      {gradient.shape[1], input.shape[1] / op.groups, op.kernel[0], op.kernel[1]},
      machine};
  const bool blocked = gradient.layout.block_of(1) == machine.vector_lanes;
  const Tile tile = blocked ? pick_tile(problem) : Tile{};
  Schedule schedule;
  if (blocked) {
    schedule.tile = {{"oc", tile.vectors * problem.lanes()}, {"o", problem.lanes()}};
    schedule.vector = {{"oc", problem.lanes()}, {"o", problem.lanes()}};
  }
  for (const auto &[loop, size] : {std::pair{"ic", tile.ic}, {"kh", tile.kh}, {"kw", tile.kw}})
    if (size > 1)
      schedule.tile.push_back({loop, size});
  if (blocked)
    recorder.note("tile", schedule.tile,
                  text("{:.2f} loads per multiply-add, the fewest of those that fit the registers",
                       loads_per_multiplication(problem, tile)));
  // The gradient serves elements of the window and input channels; small windows need more of these.
  constexpr int64_t enough_uses = 64;
  const int64_t uses = problem.filter[2] * problem.filter[3] * problem.channels();
  const int64_t together = std::clamp<int64_t>(ceil_div(enough_uses, uses), 1, problem.blocks());
  const int64_t tiles = ceil_div(blocked ? problem.vectors() : problem.filter[0], tile.vectors);
  schedule.parallel = {"np", "icb", "oc", "o"};
  if (together > 1)
    schedule.block = {{"icb", together}};
  schedule.partial = {{"oh", pick_rows(problem, tile, together * problem.channels())},
                      {"n", pick_images(problem, tiles * ceil_div(problem.blocks(), together))}};
  recorder.note("partial sums", schedule.partial,
                "rows that the first cache holds, and images enough for tasks");
  return schedule;
}

} // namespace cnnc
