// Schedules of convolutions with Winograd's method. A part of choose_schedule.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/op.h"
#include "ir/text/schedule.h"

namespace cnnc {

/// What F(m x m, 3x3) may miss the sums of a convolution by, relative to the largest of them, on
/// filters with He's deviation and inputs behind a relu, when its products are added up as
/// schedule_winograd has them. Measured maxima over the shapes of well-known networks are 0.4 to 0.9
/// of it (winograd_test).
double winograd_error(int64_t m, int64_t channels);

/// For the loops of lowering/winograd.cpp: transforms in the lanes of channels, products in tiles
/// of `p` pixels, which are tiles of the result, times vectors of output channels, and how much of
/// the matrices is in memory at a time. `filter` and `result` are the logical shapes.
Schedule schedule_winograd(const Conv2d &conv, const std::vector<int64_t> &filter,
                           const std::vector<int64_t> &result, const Machine &machine,
                           const Recorder &recorder = {});

} // namespace cnnc
