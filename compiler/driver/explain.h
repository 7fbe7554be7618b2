// --explain: why kernels are as they are.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Prints a few lines for every kernel, or all that is known of the one that the command line names;
/// writes the same as JSON where it asks for that. Measures the model where it names tensors or a
/// number of runs.
Result<void> explain(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
