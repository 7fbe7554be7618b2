// Shapes that imported ops need, as nodes of the graph.
#pragma once

#include "compiler/onnx/import/node.h"

namespace cnnc {

/// The value under another shape, whose first dimension may be the symbolic batch if the value's
/// is. The value itself when it has the shape already.
ValueId reshaped(OnnxNode &node, ValueId value, std::vector<int64_t> shape);

/// The value with its dimensions in this order; the value itself when they are.
ValueId transposed(OnnxNode &node, ValueId value, std::vector<int64_t> permutation);

/// The value without `before` elements at the beginning and `after` ones at the end of each
/// dimension; negative numbers cut nothing. no_id after a report when a dimension is cut away.
ValueId cut_off(OnnxNode &node, ValueId value, const std::vector<int64_t> &before,
                const std::vector<int64_t> &after);

/// The axis counted from 0; empty after a report when it is not in [-rank, rank).
std::optional<size_t> read_axis(OnnxNode &node, int64_t axis, size_t rank);
/// The same for a list, sorted and without repetitions.
std::optional<std::vector<int64_t>> read_axes(OnnxNode &node, const std::vector<int64_t> &axes,
                                              size_t rank);

/// Product of the dimensions [first, last); empty after a report when it overflows or includes the
/// symbolic batch together with others.
std::optional<int64_t> product(OnnxNode &node, const std::vector<int64_t> &shape, size_t first,
                               size_t last);

} // namespace cnnc
