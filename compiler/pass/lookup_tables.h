// Functions of one quantised number, as tables of all their results.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Makes a lookup of every `quantize` whose result depends on one element of 8 bits alone:
///
///   %x = dequantize %x.q scale=0.05 zero_point=128
///   %s = sigmoid %x
///   %s.q = quantize %s scale=0.004 to=u8
/// becomes
///   %numbers = literal [0, 1, .., 255] : u8[256]
///   %x.table = dequantize %numbers scale=0.05 zero_point=128
///   %s.table = sigmoid %x.table
///   %s.q.table = quantize %s.table scale=0.004 to=u8
///   %s.q = lookup %x.q, %s.q.table
///
/// which the compiler computes: the same on every CPU. There may be any element-wise ops in between,
/// such as the two products and three roundings of a silu that is spelt out. What takes no more
/// than additions and comparisons is left as it is. Only outside of kernels, and in the graph's
/// order.
void make_lookups(Graph &graph);

} // namespace cnnc
