// Parts of tensors: what a report has room for.
#pragma once

#include "compiler/tensor/tensor.h"

#include <array>

namespace cnnc::report {

/// Of the first image of [n, c, h, w] these channels, and of those the first rows and columns:
/// [1, channels, rows, columns].
Tensor cut_channels(const Tensor &tensor, const std::vector<int64_t> &channels,
                    const std::array<int64_t, 2> &sides);
/// Of a filter [oc, ic, kh, kw] one output channel, and its input channels [first, end).
Tensor cut_filter(const Tensor &filter, int64_t channel, int64_t first, int64_t end);
/// Elements of a vector.
Tensor cut_vector(const Tensor &vector, const std::vector<int64_t> &elements);

} // namespace cnnc::report
