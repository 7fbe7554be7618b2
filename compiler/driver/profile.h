// --profile: where the time of a run goes.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// A model that has been run here, and how long its kernels took.
struct Measured {
  Program program;
  ProfileOptions how;
  Profile profile;
};
/// Compiles the model and runs it on the inputs of the command line, or random ones.
Result<Measured> measure(const CommandLine &line, const Model &model, int32_t products = 1);

/// Writes a text where a file is named.
Result<void> write(const std::string &file, const std::string &text);

/// Measures the model; prints the table, and writes the files that the command line asks for, one of
/// which may be standard output, in place of the table.
Result<void> profile(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
