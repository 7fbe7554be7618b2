// Why the result of a window has the height and width that it has.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// The formula of a convolution or pool, its numbers, and what they give:
///
///   size    floor((in + pads - dilation * (kernel - 1) - 1) / stride) + 1
///   height  floor((28 + 4 - 1 * (5 - 1) - 1) / 1) + 1 = 28
///   width   floor((28 + 4 - 1 * (5 - 1) - 1) / 1) + 1 = 28
///
/// Empty for ops whose shapes follow no such formula. Values need types.
std::vector<std::string> shape_rule(const Graph &graph, const Node &node);

} // namespace cnnc
