// How pools are tiled: a part of choose_schedule.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/ops/pool.h"
#include "ir/graph/ops/training.h"
#include "ir/text/schedule.h"

namespace cnnc {

/// Vectors of channels times a few neighbouring columns, which share what they read. `fused`:
/// whether more ops follow in the kernel.
Schedule schedule_pool(const MaxPool2d &op, const TensorType &input, const TensorType &result,
                       bool fused, const Machine &machine, const Recorder &recorder = {});
Schedule schedule_pool(const AvgPool2d &op, const TensorType &input, const TensorType &result,
                       bool fused, const Machine &machine, const Recorder &recorder = {});

/// With positions in windows like the pool. Others one element, or vector of channels, at a time.
Schedule schedule_pool_indices(const MaxPool2dIndices &op, const TensorType &input,
                               const TensorType &result, const Machine &machine);

/// Vectors of channels times a few groups of as many columns and rows as the strides.
Schedule schedule_pool_gradient(const MaxPool2dGradient &op, const TensorType &gradient,
                                const TensorType &result, const Machine &machine);

/// Vectors of channels, or of pixels where channels are not in blocks. Four pixels or vectors at a
/// time have sums of their own, so that no addition waits for the one before.
Schedule schedule_global_pool(const TensorType &result, int64_t lanes);

} // namespace cnnc
