// Register tiling: what one core computes at a time in registers, for convolutions and products of
// matrices.
#pragma once

#include "compiler/analysis/kernel_time.h"
#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// Vectors of output channels times pixels. `pixels` are those of a fused pool, if there is one.
struct RegisterTile {
  int64_t vectors, pixels;
};
/// For recorders: "2 vectors x 14 pixels".
std::string spelt(const RegisterTile &tile);

/// Pixels of the longest tile with one vector of output channels.
int64_t longest_row(const Machine &machine);

/// The tile with the fewest loads per MAC among those that fit the registers; with one vector there
/// are as many loads whatever its length, and a long one only waits for its end.
/// `vectors`: of output channels that there are, a multiple of the tile's; `pooled`: results of the
/// convolution for each result of a fused pool, 4 for 2x2. All tiles become candidates of the record,
/// whose choice is the caller's.
RegisterTile register_tile(int64_t vectors, int64_t pooled, const Machine &machine, Record &record);

/// Results of a kernel's first op that one element of its last result needs: those in a window of a
/// fused pool, else 1.
int64_t pooled_pixels(const Graph &graph, const std::vector<NodeId> &members);

/// The tile of a kernel that has this schedule: vectors of channels, or of what else is in lanes,
/// times rows times pixels, those of the first op where a pool is fused. None for kernels without
/// sums that a tile could hold: element-wise ops, copies, reductions.
TileSize scheduled_tile(const Graph &graph, const std::vector<NodeId> &members,
                        const Schedule &schedule);

} // namespace cnnc
