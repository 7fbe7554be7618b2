// The attributes that convolutions and pools share: kernel_shape, strides, dilations, pads,
// auto_pad.
#pragma once

#include "compiler/onnx/import/node.h"

namespace cnnc {

/// One entry per spatial dimension.
struct Windows {
  std::vector<int64_t> kernel, stride, dilation, before, after;
  size_t rank() const { return kernel.size(); }
};

/// Reads the attributes for an input of this shape ([n, c, ...]). `kernel` is what kernel_shape
/// must be when it is there; empty: it must be there. Reports and returns empty when they do not
/// fit.
std::optional<Windows> read_windows(OnnxNode &node, const std::vector<int64_t> &shape,
                                    std::vector<int64_t> kernel);

/// As attributes of ops on two spatial dimensions; a single one becomes the width of rows.
std::vector<int64_t> two(const std::vector<int64_t> &values, int64_t other);
std::vector<int64_t> pads_of_two(const Windows &windows);

/// [n, c, l] as [n, c, 1, l] and back; others are left alone.
ValueId as_rows(OnnxNode &node, ValueId value);
ValueId from_rows(OnnxNode &node, ValueId value, size_t spatial_rank);

} // namespace cnnc
