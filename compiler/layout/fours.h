// Filters of integers of 8 bits lie in fours of input channels, innermost: what one lane of a dot
// product takes at a time. oihw4i32o4i: [o / 32, i / 16, h, w, 4, 32, 4].
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Whether the last block of a layout is one of four input channels.
bool holds_fours(const Layout &layout);

/// Whether an op is a conv2d or dense of 8-bit integers that takes input channels in fours: without
/// groups, or with groups of whole vectors; a dense layer whose inputs are whole fours.
bool takes_fours(const Graph &graph, const Node &node, int64_t lanes);

/// The block in which such a convolution wants few input channels: as many fours as they fill.
int64_t block_of_few(int64_t channels);

/// The blocks of a filter [oc, ic, ..] in fours, for an input in blocks of `input_block` channels
/// and tiles of `outputs` channels.
std::vector<Block> blocks_in_fours(int64_t input_block, int64_t outputs);

} // namespace cnnc
