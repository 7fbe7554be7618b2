#include "compiler/layout/small_groups.h"

#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <numeric>

namespace cnnc {

namespace {

/// Vectors in a register tile, and products that are written out for each of its pixels.
constexpr int64_t most_vectors = 8, most_products = 512;

} // namespace

std::optional<int64_t> vectors_of_small_groups(const Conv2d &conv,
                                               const std::vector<int64_t> &filter, int64_t lanes) {
  const int64_t outputs = filter[0] / conv.groups, inputs = filter[1];
  const bool depthwise = inputs == 1 && outputs == 1;
  const bool whole = outputs % lanes == 0 && inputs % lanes == 0;
  // A vector of outputs should find its inputs in one or two vectors.
  if (conv.groups == 1 || depthwise || whole || inputs > 2 * outputs)
    return std::nullopt;
  const int64_t groups =
      std::lcm(lanes / std::gcd(lanes, outputs), lanes / std::gcd(lanes, inputs));
  const int64_t all = ceil_div(filter[0], lanes);
  const int64_t vectors = std::min(all, groups * outputs / lanes);
  // The lanes that fill up the last vector belong to groups that are not there, but read, too.
  const int64_t channels_read = ((all * lanes - 1) / outputs + 1) * inputs;
  const bool inside = channels_read <= ceil_div(conv.groups * inputs, lanes) * lanes;
  if (!inside || vectors > most_vectors || vectors * inputs > most_products)
    return std::nullopt;
  return vectors;
}

} // namespace cnnc
