// Filters of integers of 8 bits lie in fours or pairs of input channels, innermost: what one lane of a
// dot product takes at a time, fours of inputs of 8 bits, pairs of inputs of 16. oihw4i32o4i:
// [o / 32, i / 16, h, w, 4, 32, 4]. The right operands of products of matrices lie in fours of rows.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// The input channels that lie side by side in a filter for dot products: 4, 2, or 0 in any other.
int64_t dot_width(const Layout &filter);

/// The input channels that an op takes at a time: 4 of a conv2d or dense of 8-bit integers, 2 where
/// the inputs have 16 bits; 0 where it takes them one by one, as others do, groups that are not
/// whole vectors, and a dense layer whose inputs are not whole fours or pairs.
int64_t dot_width(const Graph &graph, const Node &node, int64_t lanes);

/// The same for the right operand of a product of matrices, which lies in fours of rows: whether a
/// type's last block is one, and whether an op, of integers, takes at least one.
bool holds_fours_of_rows(const TensorType &type);
bool takes_fours_of_rows(const Graph &graph, const Node &node);

/// The blocks of such an operand: as many columns as there are lanes, all rows of one after the other.
std::vector<Block> rows_in_fours(const std::vector<int64_t> &shape, int64_t lanes);

/// The block in which such a convolution wants few input channels: as many of `width` as they fill.
int64_t block_of_few(int64_t channels, int64_t width);

/// The blocks of a filter [oc, ic, ..] for an input in blocks of `input_block` channels and tiles of
/// `outputs` channels.
std::vector<Block> dot_blocks(int64_t input_block, int64_t outputs, int64_t width);

} // namespace cnnc
