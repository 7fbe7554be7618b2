// The options of the command line, and what --help says of them.
#pragma once

#include "compiler/driver/command_line.h"

#include <CLI/CLI.hpp>

namespace cnnc::driver {

/// What CLI11 fills in, before it is clear what it means together.
struct Flags {
  std::string emit, passes, onnx_weights;
  bool write_dependencies = false;
  bool check = false, summary = false, verify = false, list_ops = false, list_passes = false;
  bool lsp = false;
  bool run = false, time_run = false, compare = false, reduce = false;
  std::string changes, statistics, color = "auto", profile;
  std::string explain; // "all", or the kernel
  bool differentiate = false;
  GradientOptions gradients;
  std::string train; // the optimizer
  TrainingOptions training;
  std::vector<std::string> files; // the model, and tensors
  const CLI::Option *passes_given = nullptr;
};

/// Lets CLI11 fill in both.
void add_options(CLI::App &app, CommandLine &line, Flags &flags);

} // namespace cnnc::driver
