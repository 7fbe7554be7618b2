// --reduce: the smallest model for which a command still succeeds.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Runs the command of --test on smaller and smaller models, each a file in a temporary folder with
/// its weights beside it, and writes the last for which it succeeded to -o or standard output. A
/// file of -o is there from the first success on, so that nothing is lost when the run is
/// interrupted.
Result<void> reduce(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
