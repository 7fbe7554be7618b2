// Another number of images.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Makes `batch` the first dimension of all inputs, which have had one number there, or a name.
/// Forgets the types that follow from them. Reports models that have layouts or kernels already.
bool set_batch(Graph &graph, int64_t batch, Diagnostics &diagnostics);

} // namespace cnnc
