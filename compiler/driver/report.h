// --report: the page that shows what the compiler did.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Writes the page, with measured times when the command line has the tensors of the inputs, and
/// tells its size and how long that took.
Result<void> report(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
