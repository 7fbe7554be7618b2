// `cnnc --compare-schedules=@kernel`.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Measures the candidates of the kernel that the command line names and prints them as a table, and
/// as JSON where it names a file.
Result<void> compare_schedules(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
