// How kernels that move elements are tiled: a part of choose_schedule.
#pragma once

#include "ir/graph/ops/shape.h"
#include "ir/graph/ops/training.h"
#include "ir/text/schedule.h"

namespace cnnc {

/// Vectors along the channels where these lie in blocks on one side and next to each other on the
/// other, else along what lies next to each other in the result.
Schedule schedule_transpose(const TensorType &from, const TensorType &to, const Transpose &op,
                            int64_t lanes);

/// Between blocks of pixels and channels: vectors of `channels` that stay together, or parts of
/// vectors.
Schedule schedule_pixels(const TensorType &result, int64_t channels, int64_t lanes);

/// Lanes along the last dimension where they lie side by side in the input, too.
Schedule schedule_gather(const Gather &op, const TensorType &input, const TensorType &result,
                         int64_t lanes);

/// Lanes along the last dimension unless that is scattered. All but the scattered dimension are
/// shared among threads.
Schedule schedule_scatter(const ScatterAdd &op, const TensorType &result, int64_t lanes);

/// Tiles that read or write whole blocks of channels.
Schedule schedule_relayout(const TensorType &from, const TensorType &to, int64_t lanes);

/// A relayout that packs weights when the model runs: whole vectors of the block that is innermost
/// are written, of elements that stand apart.
Schedule schedule_packing(const TensorType &to, int64_t lanes);

} // namespace cnnc
