// How far the loops over a result run. A blocked layout rounds its dimension up; loops take these
// lanes along where the operands have them, too, so that whole vectors are computed. Where an
// operand has none, they stay zero.
#pragma once

#include "compiler/lowering/lowering.h"

namespace cnnc {

/// Limits a loop over dimension `dim` of a result to what dimension `operand_dim` of an operand
/// holds.
void limit_extent(int64_t &extent, const TensorType &operand, size_t operand_dim);

/// Appends loops over dimensions [0, extents) with these names and the body innermost.
void append_loops(Lowering &lowering, const std::vector<std::string> &names,
                  const std::vector<int64_t> &extents, std::vector<loop::Statement> body);

/// Appends the loops that set the lanes of a result to zero which loops over `extents` leave out.
void append_zero_lanes(Lowering &lowering, const std::vector<int64_t> &extents,
                       size_t result_index = 0);

} // namespace cnnc
