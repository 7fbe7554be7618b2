// --profile: where the time of a run goes.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Measures the model; returns the table, and writes the files that the command line asks for.
Result<std::string> profile(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
