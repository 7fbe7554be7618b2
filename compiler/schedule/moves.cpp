#include "compiler/schedule/moves.h"

#include "compiler/lowering/loops.h"
#include "compiler/schedule/elementwise.h"
#include "compiler/schedule/parallel_threshold.h"

#include <algorithm>
#include <numeric>

namespace cnnc {

Schedule schedule_transpose(const TensorType &from, const TensorType &to, const Transpose &op,
                            int64_t lanes) {
  Schedule schedule;
  const std::vector<std::string> names = loop_names(to.rank());
  if (names.empty())
    return schedule;
  schedule.parallel.assign(names.begin(), names.end() - 1);
  const size_t channels = static_cast<size_t>(
      std::find(op.permutation.begin(), op.permutation.end(), 1) - op.permutation.begin());
  if (to.layout.block_of(1) == lanes) {
    schedule.tile = {{"c", lanes}, {"w", 4}};
    schedule.vector = {{"c", lanes}};
  } else if (from.layout.block_of(1) == lanes && channels + 1 < to.rank()) {
    schedule.tile = {{names[channels], lanes}};
    schedule.vector = {{names[channels], lanes}};
  } else {
    schedule.tile = {{names.back(), lanes * 4}};
    schedule.vector = {{names.back(), lanes}};
  }
  return schedule;
}

Schedule schedule_pixels(const TensorType &result, int64_t channels, int64_t lanes) {
  Schedule schedule;
  schedule.parallel = {"n", "c", "h"};
  if (result.layout.block_of(1) != lanes)
    return schedule;
  const int64_t size = std::gcd(channels, lanes);
  schedule.tile = {{"c", size}};
  schedule.vector = {{"c", size}};
  return schedule;
}

Schedule schedule_gather(const Gather &op, const TensorType &input, const TensorType &result,
                         int64_t lanes) {
  Schedule schedule = schedule_elementwise(result, lanes);
  if (*normalized_axis(op.axis, input.rank()) + 1 == input.rank()) {
    schedule.tile.clear();
    schedule.vector.clear();
  }
  return schedule;
}

Schedule schedule_scatter(const ScatterAdd &op, const TensorType &result, int64_t lanes) {
  Schedule schedule;
  const std::vector<std::string> names = loop_names(result.rank());
  const size_t axis = *normalized_axis(op.axis, result.rank());
  for (size_t i = 0; i < names.size(); ++i)
    if (i != axis)
      schedule.parallel.emplace_back(names[i]);
  if (axis + 1 < names.size()) {
    schedule.tile = {{names.back(), lanes}};
    schedule.vector = {{names.back(), lanes}};
  }
  return schedule;
}

Schedule schedule_relayout(const TensorType &from, const TensorType &to, int64_t lanes) {
  if (from.layout.blocks == to.layout.blocks)
    return schedule_elementwise(to, lanes);
  Schedule schedule;
  if (to.rank() != 4)
    return schedule;
  schedule.parallel = {"n", "c", "h"};
  if (to.shape[2] * to.shape[3] == 1) { // the same order in both layouts
    schedule.tile = {{"c", lanes * 4}};
    schedule.vector = {{"c", lanes}};
  } else if (to.layout.block_of(1) == lanes) {
    // Whole vectors are written, so that no cache line is visited twice.
    schedule.tile = {{"c", lanes}, {"w", 4}};
    schedule.vector = {{"c", lanes}};
  } else if (from.layout.block_of(1) == lanes) {
    // A tile reads whole blocks and writes vectors of a row for each of their channels.
    schedule.tile = {{"c", lanes}, {"w", lanes}};
    schedule.vector = {{"w", lanes}};
  }
  return schedule;
}

Schedule schedule_packing(const TensorType &to, int64_t lanes) {
  const std::vector<std::string> names = loop_names(to.rank());
  // Lanes run along the vectors that are read later; fours of bytes are within their lanes.
  const std::vector<Block> &blocks = to.layout.blocks;
  const bool fours = size_of(to.dtype) == 1 && blocks.back().size == 4 && blocks.size() > 1;
  const std::string &packed =
      names[static_cast<size_t>((fours ? blocks[blocks.size() - 2] : blocks.back()).axis)];
  Schedule schedule;
  schedule.tile = {{packed, lanes}};
  schedule.vector = {{packed, lanes}};
  if (element_count(to.shape).value_or(0) >= parallel_threshold && to.rank() > 1)
    schedule.parallel.assign(names.begin(), names.begin() + std::min<long>(2, long(to.rank()) - 1));
  return schedule;
}

} // namespace cnnc
