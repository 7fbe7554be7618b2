// What passes can be told in a list of passes.
#pragma once

#include "compiler/pipeline/pipeline.h"

namespace cnnc {

// By pass.
extern const std::span<const PassOption> algorithm_options; // choose_algorithms
extern const std::span<const PassOption> weights_options;   // narrow_weights
extern const std::span<const PassOption> gradient_options;  // differentiate
extern const std::span<const PassOption> training_options;  // make_training_step

/// Sets `max_error=1e-3:strict=true` of a pass. An option that it does not have, and a value that
/// does not fit, are errors that name what there is.
bool set_pass_options(const Pass &pass, const std::string &settings, PassContext &context);

} // namespace cnnc
