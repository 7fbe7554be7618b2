#include "compiler/analysis/convolution_work.h"

#include "ir/type/type.h"

#include <algorithm>

namespace cnnc {

namespace {

/// Transforms of one tile and one channel, in operations at the speed of the products: they are
/// mostly loads, stores and additions, and have more values than registers from m = 4 on. Measured,
/// for m = 2 .. 6.
constexpr double input_transform[] = {60, 140, 250, 600, 900};
constexpr double output_transform[] = {50, 100, 180, 450, 700};

/// Tiles that reach beyond the plane are stored through memory.
constexpr double edge_factor = 2;

/// Of one filter that is known only when the model runs, in operations: what it reads and writes
/// goes through memory.
double filter_transform(double size, const Machine &machine) {
  return 4 * (9 + 2 * size) / machine.bytes_per_operation;
}

} // namespace

WinogradWork winograd_work(int64_t m, const std::vector<int64_t> &filter,
                           const std::vector<int64_t> &result, bool known, const Machine &machine) {
  const double images = static_cast<double>(std::max<int64_t>(1, result[0]));
  const double channels = static_cast<double>(filter[0]) * static_cast<double>(filter[1]);
  const double size = static_cast<double>((m + 2) * (m + 2));
  const size_t row = static_cast<size_t>(m - smallest_winograd);
  const bool edges = result[2] % m != 0 || result[3] % m != 0;
  WinogradWork work;
  work.tiles = images * static_cast<double>(((result[2] + m - 1) / m) * ((result[3] + m - 1) / m));
  work.products = 2 * size * channels * work.tiles;
  work.transforms = work.tiles * (static_cast<double>(filter[1]) * input_transform[row] +
                                  static_cast<double>(filter[0]) * output_transform[row] *
                                      (edges ? edge_factor : 1));
  work.filter_transforms = known ? 0 : channels * filter_transform(size, machine);
  work.weights = size * channels;
  return work;
}

} // namespace cnnc
