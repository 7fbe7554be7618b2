#include "compiler/schedule/register_tile.h"

#include <algorithm>
#include <limits>

namespace cnnc {

int64_t free_registers(const Machine &machine) {
  return machine.vector_registers >= 32 ? 28 : machine.vector_lanes >= 8 ? 15 : 14;
}

RegisterTile register_tile(int64_t vectors, int64_t pooled, const Machine &machine) {
  RegisterTile best = {1, 1};
  double least = std::numeric_limits<double>::infinity();
  for (int64_t count = 1; count <= 8; ++count) {
    int64_t pixels = std::min<int64_t>(14, (free_registers(machine) - count) / count) / pooled;
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
