// The texts before and after passes, and what passes change, on standard output.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Sets the callbacks of the options to print what the command line asks for.
void print_passes(CommandLine &line);

} // namespace cnnc::driver
