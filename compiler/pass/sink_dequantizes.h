// What quantised numbers are moved, joined and averaged by, on the numbers themselves.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Moves each dequantize of 8 bits with one scale from in front of an op to behind it, where the op
/// gives elements of its operand alone (max pools, moves, pads by a number that there is), joins or
/// cuts, or is a mean:
///
///   %x = dequantize %x.q scale=0.5 zero_point=3         %y.q = max_pool2d %x.q kernel=[2, 2]
///   %y = max_pool2d %x kernel=[2, 2]               =>   %y = dequantize %y.q scale=0.5 zero_point=3
///
/// A quantize that finds its own numbers behind that goes. Only outside of kernels.
void sink_dequantizes(Graph &graph);

} // namespace cnnc
