// depth_to_space and space_to_depth as loops that copy, the pixels of a block written out by loops:
//
//   for n, c, h, rh in 0..2, w, rw in 0..2 {
//     result[n, c, h * 2 + rh, w * 2 + rw] = input[n, (rh * 2 + rw) * channels + c, h, w]
//   }
//
// Behind a convolution in the same kernel, the loops run over its channels instead, so that they
// can be joined to those of the convolution:
//
//   for n, c, h, w {
//     result[n, c % channels, h * 2 + c / channels / 2, w * 2 + c / channels % 2] =
//         conv[n, c, h, w]
//   }
//
// Where rows or columns are cropped, blocks at the edges are not whole and have nests of their own.
#include "compiler/lowering/extents.h"

#include <fmt/format.h>

namespace cnnc {

using loop::Index;
using loop::Statement;

namespace {

/// `count` pixels of blocks [first_block, first_block + blocks) of one dimension, from pixel
/// `first` of each on.
struct BlockPart {
  std::string suffix; // of the names of its loops
  int64_t first_block, blocks, first, count;
};

/// The whole blocks of a dimension first, then what the crop leaves of others.
std::vector<BlockPart> parts_of_blocks(int64_t block, int64_t begin, int64_t end) {
  if (begin / block == (end - 1) / block) // within one
    return {{"", begin / block, 1, begin % block, end - begin}};
  std::vector<BlockPart> parts;
  int64_t first = (begin + block - 1) / block, last = end / block;
  if (first < last)
    parts.push_back({"", first, last - first, 0, block});
  if (begin % block != 0)
    parts.push_back({"_first", begin / block, 1, begin % block, block - begin % block});
  if (end % block != 0)
    parts.push_back({"_last", last, 1, 0, end % block});
  return parts;
}

/// Loops over the operand, a local. Channels are whole blocks.
void append_fused(const DepthToSpace &op, Lowering &lowering) {
  const int64_t channels = lowering.result().shape[1];
  Subscripts from = variables({"n", "c", "h", "w"}), place = from;
  Index pixel = from[1] / channels;
  place[1] = from[1] % channels;
  place[2] = from[2] * op.block[0] + pixel / op.block[1];
  place[3] = from[3] * op.block[1] + pixel % op.block[1];
  std::vector<Statement> body;
  body.push_back(lowering.write(place, lowering.read(0, from)));
  append_loops(lowering, {"n", "c", "h", "w"}, loop_extents(lowering.operand(0)), std::move(body));
}

} // namespace

Loops pixel_block_loops() {
  Loops loops = {{"n", Role::images}, {"c", Role::channels}};
  for (std::string dimension : {"h", "w"})
    for (const char *suffix : {"", "_first", "_last"}) {
      loops.push_back({dimension + suffix, Role::dimension});
      loops.push_back({"r" + dimension + suffix, Role::dimension});
    }
  return loops;
}

bool lower(const DepthToSpace &op, Lowering &lowering) {
  if (lowering.operand_is_local()) {
    append_fused(op, lowering);
    return true;
  }
  const std::vector<int64_t> &result = lowering.result().shape;
  std::vector<int64_t> extents = loop_extents(lowering.result());
  extents[1] = result[1];
  for (const BlockPart &rows : parts_of_blocks(op.block[0], op.crop[0], op.crop[0] + result[2]))
    for (const BlockPart &columns :
         parts_of_blocks(op.block[1], op.crop[1], op.crop[1] + result[3])) {
      std::string h = "h" + rows.suffix, w = "w" + columns.suffix;
      Index block_row = Index::variable(h) + rows.first_block;
      Index block_column = Index::variable(w) + columns.first_block;
      Index row = Index::variable("r" + h) + rows.first;
      Index column = Index::variable("r" + w) + columns.first;
      Index in_block = row * op.block[1] + column, c = Index::variable("c");
      Index channel = op.mode == DepthOrder::dcr ? in_block * result[1] + c
                                                 : c * (op.block[0] * op.block[1]) + in_block;
      std::vector<Statement> body;
      body.push_back(lowering.write(
          {Index::variable("n"), c, block_row * op.block[0] + row - op.crop[0],
           block_column * op.block[1] + column - op.crop[1]},
          lowering.read(0, {Index::variable("n"), channel, block_row, block_column})));
      append_loops(lowering, {"n", "c", h, "r" + h, w, "r" + w},
                   {extents[0], extents[1], rows.blocks, rows.count, columns.blocks, columns.count},
                   std::move(body));
    }
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const SpaceToDepth &op, Lowering &lowering) {
  const std::vector<int64_t> &result = lowering.result().shape;
  const int64_t channels = lowering.operand(0).shape[1];
  Subscripts place = variables({"n", "c", "h", "w"}), from = place;
  place[1] = (Index::variable("rh") * op.block[1] + Index::variable("rw")) * channels + place[1];
  from[2] = from[2] * op.block[0] + Index::variable("rh");
  from[3] = from[3] * op.block[1] + Index::variable("rw");
  std::vector<Statement> body;
  body.push_back(lowering.write(place, lowering.read(0, from)));
  std::vector<int64_t> extents = loop_extents(lowering.result());
  extents[1] = result[1];
  append_loops(lowering, {"n", "c", "h", "rh", "w", "rw"},
               {extents[0], channels, result[2], op.block[0], result[3], op.block[1]},
               std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
