// The vocabulary of schedules: which loops lowering makes of each op, by name and role. Choosing
// schedules, packing weights for them and checking them reads this header and nothing else of
// lowering. Every list is defined beside the lowering that makes its loops. No schedule names the
// loops that count parts of a sum, as ic.p does for ic.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// What the iterations of a loop are.
enum class Role {
  images,    // of the batch
  channels,  // of the result; columns of a product of matrices
  rows,      // of the result
  pixels,    // of a row of the result
  dimension, // elements along any dimension of a tensor
  reduction, // what is summed over
  window,    // elements of a window
  transform, // parts of Winograd's transforms
  stage,     // parts of intermediate results, of which as many are in memory as `stage` says
};

struct LoopSpec {
  std::string name;
  Role role;
};
/// The outermost first.
using Loops = std::vector<LoopSpec>;

/// Whether max_pool2d_indices has the loops of a max_pool2d: counts positions in windows, which
/// are not dilated.
bool like_pool(const MaxPool2dIndices &op);

/// The loops that a schedule of a kernel can name: those of its first member, to which the others
/// are fused, and windows of the others. Types must be known.
Loops loops_of(const Graph &graph, const std::vector<NodeId> &members);
Loops loops_of(const Graph &graph, const Node &node);

std::vector<std::string> names_of(const Loops &loops);
const LoopSpec *find_loop(const Loops &loops, std::string_view name);
/// The first loop of this role that the schedule tiles; null when it tiles none.
const LoopFactor *tile_of(const Schedule &schedule, const Loops &loops, Role role);

/// Names for loops over the dimensions of a tensor: n, c, h, w; n, c; or d0, d1 ...
std::vector<std::string> loop_names(size_t rank);

// By lowering.
Loops tensor_loops(size_t rank); // over all elements, under loop_names
Loops convolution_loops();       // conv2d and local2d
Loops conv_transpose_loops();
Loops winograd_loops();
Loops filter_gradient_loops();
Loops dense_loops();
Loops matmul_loops(size_t rank); // b0, b1 ... for the dimensions in front, i, j; k for the sum
Loops pool_loops();
Loops pool_indices_loops(const MaxPool2dIndices &op);
Loops pool_gradient_loops();
Loops group_norm_loops(size_t rank);
Loops top_k_loops(size_t rank);
Loops resize_loops(const Resize2d &op);
Loops resize_gradient_loops();
Loops scatter_loops(size_t rank, size_t index_rank); // i0, i1 ... over the indices
Loops pixel_block_loops();                           // depth_to_space and space_to_depth

} // namespace cnnc
