// The pass infer_shapes for texts with mistakes: which of their values can be relied on.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// The pass. `wrong` becomes a flag for each value: true for those without a right type, which are
/// results of a wrong statement, or of one that depends on such a value. The latter are not
/// reported, so that one mistake gives one error.
bool infer_shapes(Graph &graph, Diagnostics &diagnostics, std::vector<bool> &wrong);

} // namespace cnnc
