// --profile: where the time of a run goes.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Measures the model; prints the table, and writes the files that the command line asks for, one of
/// which may be standard output, in place of the table.
Result<void> profile(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
