// --calibrate: a float model and images to a model of integers.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Reads the images that CommandLine::images matches, one file after the other, writes the text and
/// its weights to -o, and prints a table of the layers, or JSON to the file of --json.
Result<void> calibrate(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
