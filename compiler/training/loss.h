// The number that training makes small.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// Makes a loss the first output, where the first one is not one number already: puts it behind that
/// output, with an input for what the output should be, %labels (classes) or %targets. A softmax or
/// sigmoid at the end becomes part of the loss, which is computed from what goes into it. Reports
/// outputs that have no loss.
bool add_loss(Graph &graph, PassContext &context);

} // namespace cnnc
