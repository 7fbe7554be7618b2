// Convolutions and pools over three dimensions, spelt with those over two.
#pragma once

#include "compiler/onnx/import/window.h"

namespace cnnc {

/// A convolution of [n, c, d, h, w] with a filter [oc, c / groups, kd, kh, kw]: the slices of the
/// input that meet each slice of the filter become channels, and the output's depth goes into the
/// batch. no_id after an error.
ValueId convolve_volume(OnnxNode &node, std::vector<ValueId> operands, const Windows &windows,
                        int64_t groups);

/// A transposed convolution with a filter [c, oc / groups, kd, kh, kw]: zeros between the elements
/// of the input, then a convolution with the mirrored filter. `extra`: output_padding.
ValueId transpose_convolve_volume(OnnxNode &node, std::vector<ValueId> operands,
                                  const Windows &windows, const std::vector<int64_t> &extra,
                                  int64_t groups);

/// A maximum or mean (`op`: max_pool2d, avg_pool2d) over windows of three dimensions: over height
/// and width, then over depth. `attributes` are those besides the window's.
ValueId pool_volume(OnnxNode &node, std::string_view op, ValueId input, const Windows &windows,
                    const Attributes &attributes);

} // namespace cnnc
