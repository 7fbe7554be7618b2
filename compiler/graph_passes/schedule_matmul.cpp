#include "compiler/graph_passes/schedule_matmul.h"

#include "compiler/lowering/matmul.h"

#include <algorithm>
#include <limits>

namespace cnnc {

namespace {

struct Tile {
  int64_t rows, vectors;
};

/// The tile with the fewest loads per multiplication: 1 / vectors + 1 / rows. A few vectors are cut
/// into equal tiles; of many, some may be one vector shorter.
Tile best_tile(int64_t rows, int64_t vectors, int64_t registers) {
  constexpr int64_t most_vectors = 8, most_rows = 14;
  Tile best = {1, 1};
  double least = std::numeric_limits<double>::infinity();
  for (int64_t count = 1; count <= std::min(vectors, most_vectors); ++count) {
    int64_t largest = std::min({most_rows, rows, registers / count - 1});
    if (largest < 1 || (vectors <= most_vectors && vectors % count != 0))
      continue;
    const int64_t tiles = (rows + largest - 1) / largest;
    const double average = static_cast<double>(rows) / static_cast<double>(tiles);
    const double loads = 1.0 / static_cast<double>(count) + 1.0 / average;
    if (loads < least) {
      least = loads;
      best = {(rows + tiles - 1) / tiles, count};
    }
  }
  return best;
}

/// Bytes of one matrix.
int64_t matrix_bytes(const TensorType &type) {
  return type.shape[type.rank() - 1] * std::max<int64_t>(1, type.shape[type.rank() - 2]) *
         size_of(type.dtype);
}

} // namespace

Schedule schedule_matmul(const TensorType &a, const TensorType &b, const TensorType &result,
                         const MatmulMachine &machine) {
  const size_t rank = result.rank();
  const int64_t rows = result.shape[rank - 2] == symbolic_dim ? 1 : result.shape[rank - 2];
  const int64_t columns = result.shape[rank - 1];
  const std::vector<std::string> names = matmul_loops(rank);
  Schedule schedule;
  schedule.parallel.assign(names.begin(), names.end() - 1);
  if (columns == 1) {
    schedule.vector = {{"k", machine.lanes}};
    schedule.unroll = {{"k", 4}};
    return schedule;
  }
  const Tile tile =
      best_tile(rows, std::max<int64_t>(1, columns / machine.lanes), machine.registers);
  schedule.tile = {{"i", tile.rows}, {"j", tile.vectors * machine.lanes}};
  schedule.vector = {{"j", machine.lanes}};
  schedule.unroll = {{"k", 4}};
  // A matrix b that does not stay in the cache beside a is read once: columns come first.
  const bool columns_first =
      matrix_bytes(b) > machine.cache_bytes / 4 && matrix_bytes(a) < matrix_bytes(b);
  if (columns_first || rows <= tile.rows)
    schedule.parallel.insert(schedule.parallel.end() - 1, "j");
  else
    schedule.parallel.push_back("j");
  return schedule;
}

} // namespace cnnc
