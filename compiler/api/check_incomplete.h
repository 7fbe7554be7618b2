// What can still be said of a text with mistakes.
#pragma once

#include "ir/module/module.h"

namespace cnnc {

/// The pass infer_shapes on what could be read of a model, so that one run shows mistakes of both
/// kinds. A flag for each value: true for those without a right type.
std::vector<bool> check_incomplete(Graph &graph, Diagnostics &diagnostics);

} // namespace cnnc
