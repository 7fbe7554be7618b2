// Kernels of a loops text on the reference interpreter of loops.
#pragma once

#include "compiler/tensor/tensor.h"
#include "ir/graph/graph.h"
#include "ir/loop/loop.h"

namespace cnnc {

/// What a kernel computes when `call` gives it the operands, one image each. Empty after an error:
/// the kernel reads or stores where it must not.
std::optional<std::vector<Tensor>> interpret_call(const Graph &graph, const Node &call,
                                                  const loop::Kernel &kernel,
                                                  const std::vector<Tensor> &operands,
                                                  Diagnostics &diagnostics);

} // namespace cnnc
