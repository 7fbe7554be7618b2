#include "compiler/schedule/pool.h"

#include "compiler/layout/halo.h"
#include "compiler/lowering/loops.h"
#include "compiler/schedule/spelt_loops.h"

#include <algorithm>

namespace cnnc {

namespace {

struct Windows {
  std::array<int64_t, 2> kernel, stride, dilation;
  std::array<int64_t, 4> pad;
};

/// Windows that are clipped (all of them where more ops follow) have no loops to write out.
Schedule schedule_windows(const Windows &windows, const TensorType &input, const TensorType &result,
                          bool fused, const Machine &machine, const Recorder &recorder) {
  const int64_t lanes = machine.vector_lanes;
  Schedule schedule;
  schedule.parallel = {"n", "c", "oh"};
  if (result.layout.block_of(1) != lanes) {
    recorder.note("tile", "none", "channels do not lie in blocks of vectors");
    return schedule;
  }
  schedule.tile = {{"c", lanes}};
  schedule.vector = {{"c", lanes}};
  PositionRange inner[2];
  bool clipped = false;
  for (size_t i = 0; i < 2; ++i) {
    inner[i] = inner_positions(windows.pad[i], windows.stride[i], windows.dilation[i],
                               windows.kernel[i], input.shape[2 + i], result.shape[2 + i]);
    clipped = clipped || inner[i].first > 0 || inner[i].end < result.shape[2 + i];
  }
  if (inner[1].first >= inner[1].end || (clipped && fused)) {
    recorder.note("tile", schedule.tile, "windows are clipped at the border: pixel by pixel");
    return schedule;
  }
  const int64_t columns =
      std::min<int64_t>(machine.many_registers() ? 8 : 4, inner[1].end - inner[1].first);
  schedule.tile.push_back({"ow", columns});
  schedule.unroll = {{"kw", std::min<int64_t>(windows.kernel[1], 7)}};
  recorder.note("tile", schedule.tile, "neighbouring columns share what they read");
  return schedule;
}

} // namespace

Schedule schedule_pool(const MaxPool2d &op, const TensorType &input, const TensorType &result,
                       bool fused, const Machine &machine, const Recorder &recorder) {
  return schedule_windows({op.kernel, op.stride, op.dilation, op.pad}, input, result, fused,
                          machine, recorder);
}

Schedule schedule_pool(const AvgPool2d &op, const TensorType &input, const TensorType &result,
                       bool fused, const Machine &machine, const Recorder &recorder) {
  return schedule_windows({op.kernel, op.stride, {1, 1}, op.pad}, input, result, fused, machine,
                          recorder);
}

Schedule schedule_pool_indices(const MaxPool2dIndices &op, const TensorType &input,
                               const TensorType &result, const Machine &machine) {
  if (like_pool(op))
    return schedule_windows({op.kernel, op.stride, op.dilation, op.pad}, input, result, false,
                            machine, {});
  Schedule schedule;
  schedule.parallel = {"n", "c", "oh"};
  if (result.layout.block_of(1) == machine.vector_lanes) {
    schedule.tile = {{"c", machine.vector_lanes}};
    schedule.vector = {{"c", machine.vector_lanes}};
  }
  return schedule;
}

Schedule schedule_pool_gradient(const MaxPool2dGradient &op, const TensorType &gradient,
                                const TensorType &result, const Machine &machine) {
  const int64_t lanes = machine.vector_lanes;
  Schedule schedule;
  schedule.parallel = {"n", "c", "h"};
  if (result.layout.block_of(1) != lanes)
    return schedule;
  schedule.tile = {{"c", lanes}};
  schedule.vector = {{"c", lanes}};
  const PositionRange rows = groups_in_windows(op, 0, gradient.shape[2]),
                      columns = groups_in_windows(op, 1, gradient.shape[3]);
  if (columns.first == columns.end)
    return schedule;
  // All elements of a group have sums of their own.
  const int64_t sums = op.stride[1] * (rows.first == rows.end ? 1 : op.stride[0]);
  const int64_t tile =
      std::min((machine.many_registers() ? 16 : 8) / sums, columns.end - columns.first);
  if (tile > 1)
    schedule.tile.push_back({"w", tile});
  if (op.kernel[1] > op.stride[1])
    schedule.unroll.push_back({"kw", 7});
  if (rows.first < rows.end && op.kernel[0] > op.stride[0] && op.kernel[0] <= 2 * op.stride[0])
    schedule.unroll.push_back({"kh", 2});
  return schedule;
}

Schedule schedule_global_pool(const TensorType &result, int64_t lanes) {
  Schedule schedule;
  schedule.parallel = {"n", "c"};
  schedule.unroll = {{"w", 4}};
  if (result.layout.block_of(1) != lanes) {
    schedule.vector = {{"w", lanes}};
    return schedule;
  }
  schedule.tile = {{"c", lanes}};
  schedule.vector = {{"c", lanes}};
  return schedule;
}

} // namespace cnnc
