// Ops that do something else in training than at inference.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/gradients/term.h"

namespace cnnc {

/// Batch norms whose mean and variance are inputs of the model normalise by the statistics of the
/// batch. Returns for both what they are after the step: (input, next value). One whose statistics
/// the text itself gives, as a splat, keeps them, which is remarked.
std::vector<std::pair<ValueId, ValueId>> use_batch_statistics(Graph &graph,
                                                              const PassContext &context);

/// Dropout drops: each element with its ratio, by random numbers that follow from `step`; what is
/// left grows by 1 / (1 - ratio) (Srivastava et al. 2014). Returns whether there is any.
bool drop_elements(Graph &graph, const Term &step);

} // namespace cnnc
