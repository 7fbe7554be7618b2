// Reverse-mode differentiation of a graph.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// Learned numbers: tensors of a file, or random ones in their place, that are no statistics.
bool is_parameter(const Graph &graph, ValueId id);
/// The name of a weight in its file, else that of the value.
std::string weight_name(const Graph &graph, ValueId id);

/// Adds ops that compute the gradients of the first output, which is one number, and returns them in
/// the order of `of`. What is asked for may be any values; zeros for those that the output does not
/// change with, which is remarked. Empty after an error. Call sort() before anybody relies on the
/// order of the graph.
std::optional<std::vector<ValueId>> add_gradients(Graph &graph, const std::vector<ValueId> &of,
                                                  PassContext &context);

} // namespace cnnc
