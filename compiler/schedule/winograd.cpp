#include "compiler/schedule/winograd.h"

#include "compiler/schedule/prefetch_distance.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/spelt_loops.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace cnnc {

namespace {

/// About as many tiles as a product computes at a time, with little left over, and an even number
/// of blocks if there is one: threads share the blocks. `bytes`: of one transformed tile.
int64_t tiles_of_block(int64_t tiles, int64_t bytes, int64_t cache_bytes) {
  constexpr int64_t usual = 28, least = 20;
  if (tiles <= usual)
    return tiles;
  auto even = [&](int64_t size) { return tiles % size == 0 && tiles / size % 2 == 0; };
  std::optional<int64_t> odd;
  for (int64_t size = usual; size >= least; --size) {
    if (even(size))
      return size;
    if (tiles % size == 0 && !odd)
      odd = size;
  }
  for (int64_t size = 2 * usual; size > usual && size * bytes <= cache_bytes / 2; --size)
    if (even(size))
      return size;
  const int64_t blocks = (tiles + usual - 1) / usual;
  return odd.value_or((tiles + blocks - 1) / blocks);
}

/// Input channels of a partial sum, for m = 2 .. 6. The output transform multiplies what the
/// products have rounded off, the more the larger its tile is.
constexpr int64_t channels_of_part[] = {512, 512, 128, 64, 32};

} // namespace

double winograd_error(int64_t m, int64_t channels) {
  // In rms, with 64 channels. Of the transforms remains what 8 channels give; the largest error is
  // about 4.4 times the root of the mean square, relative to the largest result.
  constexpr double rms[] = {2.3e-7, 7.6e-7, 1.4e-6, 2.1e-6, 2.8e-6};
  constexpr double transforms = 8, usual = 64, largest = 4.4;
  const auto row = static_cast<size_t>(m - smallest_winograd);
  const auto part = static_cast<double>(std::min(channels, channels_of_part[row]));
  const double terms = part + static_cast<double>(channels) / part; // of a part, and of the total
  return largest * rms[row] * std::sqrt((terms + transforms) / (usual + 1 + transforms));
}

Schedule schedule_winograd(const Conv2d &conv, const std::vector<int64_t> &filter,
                           const std::vector<int64_t> &result, const Machine &machine,
                           const Recorder &recorder) {
  const int64_t m = conv.winograd, size = (m + 2) * (m + 2), lanes = machine.vector_lanes;
  const int64_t tiles =
      std::max<int64_t>(1, result[0]) * ((result[2] + m - 1) / m) * ((result[3] + m - 1) / m);
  const int64_t pixels = machine.wide_tiles ? longest_row(machine) : 6;
  const int64_t vectors = machine.wide_tiles || filter[0] % (2 * lanes) != 0 ? 1 : 2;
  Schedule schedule;
  schedule.tile = {{"c", lanes}, {"p", pixels}, {"oc", vectors * lanes}, {"o", lanes}};
  schedule.vector = {{"c", lanes}, {"oc", lanes}, {"o", lanes}};
  schedule.unroll = {{"ic", 4}};
  recorder.note("tile", RegisterTile{vectors, pixels},
                "products of matrices: a pixel is a tile of the result");
  if (const int64_t part = channels_of_part[m - smallest_winograd]; filter[1] > part)
    schedule.partial = {{"ic", part}};
  recorder.note("partial sums", schedule.partial,
                text("the output transform of m = {} allows sums of {} products", m,
                     channels_of_part[m - smallest_winograd]));
  // What goes through memory in the end: with blocks the filters once for each, unless they stay in
  // the cache; without blocks all matrices, written (which reads, too) and read.
  const int64_t block = tiles_of_block(tiles, 4 * size * filter[1], machine.cache_bytes);
  const double filters = 4.0 * static_cast<double>(size * filter[0] * filter[1]);
  const double matrices = 12.0 * static_cast<double>(size * tiles * (filter[0] + filter[1]));
  const double blocks = static_cast<double>((tiles + block - 1) / block);
  constexpr int64_t least_blocks = 4; // for threads to share
  const bool cached = filters <= static_cast<double>(machine.cache_bytes / 2);
  Record record = recorder.question("stages", "bytes through memory");
  record.candidate(text("tb:{}", block), cached ? 0 : blocks * filters,
                   cached ? "the filters stay in the cache" : "the filters for each block");
  record.candidate("none", matrices, "all matrices, written and read");
  if (tiles / block >= least_blocks && (cached || blocks * filters < matrices)) {
    schedule.stage = {{"tb", block}};
    schedule.parallel = {"tb"};
    record.choose(schedule.stage, "a block's transformed inputs stay in the cache");
  } else if (4 * size * tiles * filter[1] <= machine.cache_bytes) {
    schedule.stage = {{"ob", 1}};
    schedule.parallel = {"icb", "ob"};
    record.choose(schedule.stage, "all transformed inputs stay in the cache");
  } else {
    schedule.parallel = {"icb", "i", "j", "ob"};
    record.choose("none",
                  "the inputs' part in a product stays in the cache for all output channels");
  }
  const int64_t sweeps = (tiles + pixels - 1) / pixels; // as many with blocks of tiles
  schedule.prefetch = prefetch_distance(4 * size * filter[0] * filter[1], sweeps, recorder);
  return schedule;
}

} // namespace cnnc
