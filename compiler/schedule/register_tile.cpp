#include "compiler/schedule/register_tile.h"

#include <algorithm>
#include <limits>

namespace cnnc {

int64_t longest_row(const Machine &machine) {
  return machine.wide_tiles ? 28 : machine.tile_registers - 1;
}

RegisterTile register_tile(int64_t vectors, int64_t pooled, const Machine &machine) {
  RegisterTile best = {1, 1};
  double least = std::numeric_limits<double>::infinity();
  for (int64_t count = 1; count <= 8; ++count) {
    int64_t pixels = std::min<int64_t>(14, (machine.tile_registers - count) / count) / pooled;
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

} // namespace cnnc
