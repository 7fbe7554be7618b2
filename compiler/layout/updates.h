// Outputs that lie in the memory of an input (`return %next in %w`): which may be computed there.
#pragma once

#include "compiler/layout/views.h"

namespace cnnc {

/// Whether the kernel that computes an output may write it over the input that it updates: nothing
/// reads the input later, and the kernel itself, if it does, reads it element by element, each before
/// the one that takes its place: all its ops from the first reader on are element-wise. What comes
/// before, as the product whose result is added to the input, has stored nothing there. True for outputs that update nothing. A call, whose body is not seen
/// here, may do so if lowering has kept what was decided before.
bool may_update(const Graph &graph, const std::vector<Place> &places, size_t output);

} // namespace cnnc
