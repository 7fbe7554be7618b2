// Register tiling: what one core computes at a time in registers, for convolutions and products of
// matrices.
#pragma once

#include "compiler/pass/pass_context.h"

namespace cnnc {

/// Vectors of output channels times pixels. `pixels` are those of a fused pool, if there is one.
struct RegisterTile {
  int64_t vectors, pixels;
};

/// Pixels of the longest tile with one vector of output channels.
int64_t longest_row(const Machine &machine);

/// The tile with the fewest loads per MAC among those that fit the registers; with one vector there
/// are as many loads whatever its length, and a long one only waits for its end.
/// `vectors`: of output channels that there are, a multiple of the tile's; `pooled`: results of the
/// convolution for each result of a fused pool, 4 for 2x2.
RegisterTile register_tile(int64_t vectors, int64_t pooled, const Machine &machine);

} // namespace cnnc
