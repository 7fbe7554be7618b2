#include "compiler/schedule/matmul.h"

#include "compiler/lowering/loops.h"
#include "compiler/schedule/partial_sums.h"
#include "compiler/schedule/spelt_loops.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cnnc {

namespace {

struct Tile {
  int64_t rows, vectors;
};
std::string spelt(const Tile &tile) {
  return fmt::format("{} rows x {} vectors", tile.rows, tile.vectors);
}

/// The tile with the least time for loads per MAC: 1 / vectors for a, and 1 / rows for
/// b, which takes longer where all `depth` rows of the tile's vectors do not stay in the first
/// cache. A few vectors are split into equal tiles; of many, some may be one vector shorter, but
/// then columns have to come first.
Tile best_tile(int64_t rows, int64_t vectors, int64_t depth, int64_t element_bytes,
               const Machine &machine, const Recorder &recorder) {
  constexpr int64_t most_vectors = 8, most_rows = 14;
  constexpr double far_load = 2.5, uneven = 1.15;
  Tile best = {1, 1};
  double least = std::numeric_limits<double>::infinity();
  Record record = recorder.question("tile", "time for loads per multiply-add");
  for (int64_t count = 1; count <= std::min(vectors, most_vectors); ++count) {
    int64_t largest = std::min({most_rows, rows, machine.tile_registers / count - 1});
    if (largest < 1 || (vectors <= most_vectors && vectors % count != 0))
      continue;
    const int64_t tiles = (rows + largest - 1) / largest;
    const double average = static_cast<double>(rows) / static_cast<double>(tiles);
    const bool far =
        count * machine.vector_lanes * element_bytes * depth > machine.first_cache_bytes;
    const double loads = (1.0 / static_cast<double>(count) + (far ? far_load : 1.0) / average) *
                         (vectors % count == 0 ? 1 : uneven);
    const Tile tile = {(rows + tiles - 1) / tiles, count};
    record.candidate(tile, loads, far ? "its columns of b do not stay in the first cache" : "");
    if (loads < least) {
      least = loads;
      best = tile;
    }
  }
  record.choose(best, "the least time of those that fit the registers");
  return best;
}

} // namespace

Schedule schedule_matmul(const TensorType &a, const TensorType &result, const Machine &core,
                         const Recorder &recorder) {
  const bool integers = result.dtype == DType::i32;
  const Machine machine = integers ? core.for_integers() : core;
  const size_t rank = result.rank();
  const int64_t rows = result.shape[rank - 2] == symbolic_dim ? 1 : result.shape[rank - 2];
  const int64_t columns = result.shape[rank - 1];
  const std::vector<std::string> names = names_of(matmul_loops(rank));
  Schedule schedule;
  schedule.parallel.assign(names.begin(), names.end() - 2); // without j and k
  if (columns == 1) {
    schedule.vector = {{"k", machine.vector_lanes}};
    if (!integers)
      schedule.unroll = {{"k", 4}};
    return schedule;
  }
  const int64_t depth = a.shape.back();
  const Tile tile = best_tile(rows, std::max<int64_t>(1, columns / machine.vector_lanes), depth,
                              size_of(a.dtype), machine, recorder);
  schedule.tile = {{"i", tile.rows}, {"j", tile.vectors * machine.vector_lanes}};
  schedule.vector = {{"j", machine.vector_lanes}};
  schedule.unroll = {{"k", 4}};
  if (!integers) // whose sums are exact
    schedule.partial = partial_sums("k", depth, 1, 1, recorder);
  // Columns first read b once, and a for each of their tiles unless it stays in the cache. Rows
  // first read b for each block of as many rows as stay there.
  const int64_t row_tiles = (rows + tile.rows - 1) / tile.rows;
  const int64_t column_tiles = columns / (tile.vectors * machine.vector_lanes);
  const int64_t tile_bytes = tile.rows * depth * size_of(a.dtype);
  const int64_t block = std::clamp<int64_t>(machine.cache_bytes / 3 / tile_bytes, 1, row_tiles);
  const int64_t blocks = (row_tiles + block - 1) / block;
  const bool a_stays = row_tiles * tile_bytes <= machine.cache_bytes * 3 / 4;
  // Tiles of two sizes are two loops, which only the outermost can be.
  const bool uneven = columns % (tile.vectors * machine.vector_lanes) != 0;
  if (uneven || a_stays || column_tiles * rows <= blocks * columns) {
    schedule.parallel.insert(schedule.parallel.end() - 1, "j");
    recorder.note("order", schedule.parallel,
                  uneven    ? "tiles of two widths: columns come first"
                  : a_stays ? "a stays in the cache for all columns of b"
                            : "reading b again for each block of rows would take longer");
    return schedule;
  }
  schedule.parallel.push_back("j");
  if (block > 1)
    schedule.block = {{"i", block}};
  recorder.note("order", schedule.parallel,
                text("{} tiles of rows of a stay in the cache for all columns of b", block));
  return schedule;
}

} // namespace cnnc
