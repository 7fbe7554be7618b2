// Products of matrices of quantised numbers, in integers.
#pragma once

#include "ir/graph/graph.h"

#include <string>

namespace cnnc {

/// Makes a product of integers of a matmul of two dequantized matrices:
///
///   %a = dequantize %a.q scale=0.5 zero_point=3
///   %b = dequantize %b.q scale=0.25 zero_point=-7
///   %y = matmul %a, %b
/// becomes
///   %y.sums = matmul %a.q, %b.q : i32
///   %y.columns = matmul %y.left, %b.q              %y.left: a row of 3, so 3 * the sum of each column
///   %y.rows = matmul %a.q, %y.right                %y.right: a column of -7
///   %y = (dequantize %y.sums scale=0.125) - (dequantize %y.columns scale=0.125)
///        - (dequantize %y.rows scale=0.125 zero_point=-21 * k)
///
/// of which a zero point of 0 leaves out its part. Where b is one constant matrix, the columns are
/// zero points of the sums. A number of u8 on both sides becomes one of i8 on the right, where that
/// is free: instructions for dot products want it. Returns why not, where the product stays as it is.
std::string make_integer_matmul(Graph &graph, NodeId id);

} // namespace cnnc
