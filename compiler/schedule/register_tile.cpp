#include "compiler/schedule/register_tile.h"

#include "compiler/lowering/loops.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cnnc {

int64_t longest_row(const Machine &machine) {
  return machine.wide_tiles ? 28 : machine.tile_registers - 1;
}

std::string spelt(const RegisterTile &tile) {
  return fmt::format("{} vector{} x {} pixels", tile.vectors, tile.vectors == 1 ? "" : "s",
                     tile.pixels);
}

RegisterTile register_tile(int64_t vectors, int64_t pooled, const Machine &machine,
                           Record &record) {
  RegisterTile best = {1, 1};
  double least = std::numeric_limits<double>::infinity();
  for (int64_t count = 1; count <= std::min<int64_t>(8, vectors); ++count) {
    const RegisterTile tile = {
        count, std::min<int64_t>(14, (machine.tile_registers - count) / count) / pooled};
    if (vectors % count != 0) {
      record.left_out(tile, text("does not divide {} vectors of channels", vectors));
      continue;
    }
    if (tile.pixels < 1) {
      record.left_out(tile, "leaves no registers for pixels");
      continue;
    }
    double loads =
        1.0 / static_cast<double>(count) + 1.0 / static_cast<double>(tile.pixels * pooled);
    record.candidate(tile, loads);
    if (loads < least) {
      least = loads;
      best = tile;
    }
  }
  return best;
}

int64_t pooled_pixels(const Graph &graph, const std::vector<NodeId> &members) {
  int64_t pixels = 1;
  for (NodeId member : members) {
    if (const auto *pool = std::get_if<MaxPool2d>(&graph.nodes[member].op))
      pixels = pool->kernel[0] * pool->kernel[1];
    if (const auto *pool = std::get_if<AvgPool2d>(&graph.nodes[member].op))
      pixels = pool->kernel[0] * pool->kernel[1];
  }
  return pixels;
}

namespace {

/// Ops whose register tile holds sums, or maxima.
bool has_sums(const Op &op) {
  return is_one_of<Conv2d, Local2d, Dense, Matmul, MaxPool2d, AvgPool2d, Conv2dFilterGradient>(op);
}

/// The largest of the tiles, as equal as can be, that tile_loops makes of so many iterations.
int64_t balanced(int64_t tile, int64_t extent) {
  return ceil_div(extent,
                  ceil_div(extent, std::clamp<int64_t>(tile, 1, std::max<int64_t>(1, extent))));
}

/// Tiles of the result whose products one matrix of Winograd's method holds: all, or those of a stage.
int64_t tiles_at_a_time(const std::vector<int64_t> &result, int64_t m, const Schedule &schedule) {
  for (const LoopFactor &stage : schedule.stage)
    if (stage.loop == "tb")
      return stage.size;
  return std::max<int64_t>(1, result[0]) * ceil_div(result[2], m) * ceil_div(result[3], m);
}

/// As a schedule says it: sizes by the roles of loops.
TileSize named_tile(const Schedule &schedule, const Loops &loops) {
  auto role_of = [&](const LoopFactor &factor) -> std::optional<Role> {
    const LoopSpec *loop = find_loop(loops, factor.loop);
    const bool counts = loop && loop->role != Role::transform && loop->role != Role::stage;
    return counts ? std::optional(loop->role) : std::nullopt;
  };
  LoopFactor lanes = {"", 1};
  for (const LoopFactor &vector : schedule.vector)
    if (role_of(vector))
      lanes = vector;
  TileSize tile = {1, 1, 1};
  for (const LoopFactor &factor : schedule.tile) {
    const std::optional<Role> role = role_of(factor);
    if (role && factor.loop == lanes.loop)
      tile.vectors *= ceil_div(factor.size, lanes.size);
    else if (role)
      (role == Role::rows || role == Role::images ? tile.rows : tile.pixels) *= factor.size;
  }
  return tile;
}

} // namespace

TileSize scheduled_tile(const Graph &graph, const std::vector<NodeId> &members,
                        const Schedule &schedule) {
  const Node &first = graph.nodes[members.front()];
  if (!has_sums(first.op) || schedule.tile.empty())
    return {};
  TileSize tile = named_tile(schedule, loops_of(graph, members));
  const auto *conv = std::get_if<Conv2d>(&first.op);
  if (!conv)
    return tile;
  const std::vector<int64_t> &result = graph.type(first.results[0]).shape;
  const int64_t pooled = pooled_pixels(graph, members);
  if (conv->winograd > 0) {
    tile.pixels = balanced(tile.pixels, tiles_at_a_time(result, conv->winograd, schedule));
  } else if (graph.type(first.results[0]).layout.block_of(1) > 1) { // else pixels are in lanes
    const int64_t rows = pooled > 1 ? result[2] / 2 : result[2],
                  columns = pooled > 1 ? result[3] / 2 : result[3];
    tile.rows = balanced(tile.rows, rows);
    tile.pixels = balanced(tile.pixels, columns) * pooled;
  }
  return tile;
}

} // namespace cnnc
