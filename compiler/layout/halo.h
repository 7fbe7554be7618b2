// The border that convolutions read around their input.
#pragma once

#include "ir/graph/ops/convolution.h"
#include "ir/graph/ops/training.h"

namespace cnnc {

using Halo = std::array<int64_t, 4>; // top, left, bottom, right

/// How far windows reach beyond an input of shape [n, c, h, w] when they make a result of the shape
/// `output`. The end may need less than the padding there: strides can leave some of it unread.
Halo halo_of_windows(const std::array<int64_t, 4> &pad, const std::array<int64_t, 2> &stride,
                     const std::array<int64_t, 2> &dilation, const std::array<int64_t, 2> &kernel,
                     const std::vector<int64_t> &input, const std::vector<int64_t> &output);

/// Positions [first, end) of one dimension of a result.
struct PositionRange {
  int64_t first, end;
};

/// The positions, of `output` ones, whose windows lie inside `input` elements. `pad`: elements
/// before the first. Empty ranges begin where the windows begin to reach behind the end.
PositionRange inner_positions(int64_t pad, int64_t stride, int64_t dilation, int64_t kernel,
                              int64_t input, int64_t output);

/// Of the input of a max pool whose gradient has `size` rows (axis 0) or columns (axis 1), in groups
/// of as many as the stride: group g is where window g begins. The groups that lie inside of the
/// input and in whole windows, all of which the gradient has. None of large strides and of windows
/// with gaps.
PositionRange groups_in_windows(const MaxPool2dGradient &op, size_t axis, int64_t size);

/// What a convolution of an input with a filter reads: with Winograd whole tiles of windows, which
/// may go on behind the last result, and none above and below where rows of padding are skipped.
Halo halo_of(const Conv2d &conv, const std::vector<int64_t> &input,
             const std::vector<int64_t> &filter, const std::vector<int64_t> &output);

} // namespace cnnc
