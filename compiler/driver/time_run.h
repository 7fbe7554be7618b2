// --time-run: how long one call takes on this machine.
#pragma once

#include "compiler/driver/command_line.h"

#include <string>

namespace cnnc::driver {

/// A line with the median and the least time of the calls of about a second, after some that do not
/// count.
Result<std::string> time_run(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
