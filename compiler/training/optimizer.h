// How weights follow their gradients.
#pragma once

#include "compiler/pass/gradient_request.h"
#include "ir/graph/gradients/term.h"

namespace cnnc {

/// What an optimizer keeps of a weight from step to step: the suffixes of its tensors, which are of
/// the weight's shape and zero to begin with.
std::vector<std::string> moments_of(const OptimizerRequest &request);

/// The next weight, and then the next moments. `step` is the number of this step, from 1 on.
std::vector<Term> updated_weight(const OptimizerRequest &request, const Term &weight,
                                 const Term &gradient, const std::vector<Term> &moments,
                                 const Term &rate, const Term &step);

} // namespace cnnc
