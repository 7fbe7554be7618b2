// What a compilation leaves behind for the page that shows it.
#pragma once

#include "compiler/cnnc.h"
#include "compiler/constants/constants.h"
#include "compiler/program/program.h"
#include "compiler/report/known_values.h"

namespace cnnc::report {

/// What one pass has done to the whole text.
struct PassRecord {
  std::string name, level, summary;
  PassStatistics statistics;
  /// Hunks of unified diffs, where there are several models and kernels each under its name; empty:
  /// nothing changed.
  std::string diff;
  size_t added = 0, removed = 0; // lines
};

/// A kernel as it was after one step: its name is that of a pass.
struct KernelText {
  std::string step;
  std::string text;
};

/// A kernel at every level. Code is that of its symbol, which others may share.
struct KernelTexts {
  std::string graph;
  std::vector<KernelText> loops; // after each pass that changed them
  std::string llvm, assembly;
  uint64_t code_size = 0; // bytes
};

/// Times of a run with inputs.
struct Measurement {
  std::vector<std::vector<std::byte>> inputs; // of the model, dense and row-major
  ProfileOptions how;
  Profile profile;
};

struct Compilation {
  Graph written; // with its types, before any rewrite
  Graph lowered; // whose ops are calls of kernels
  Graph planned; // after the last pass on graphs: kernels, layouts, places in the workspace
  std::string cpu;
  Machine machine;
  std::vector<PassRecord> passes;
  std::vector<KernelExplanation> kernels; // in the order in which they run
  std::vector<KernelTexts> texts;         // of each of them
  ProgramLayout program;
  uint64_t code_size = 0;             // bytes
  std::optional<Constants> constants; // of `written`; empty when the weights are not there
  std::optional<Measurement> measured;
  Graph simplified;   // before kernels and layouts are chosen
  NamedValues values; // of `simplified`, for the inputs that were given, or others; may be empty
};

} // namespace cnnc::report
