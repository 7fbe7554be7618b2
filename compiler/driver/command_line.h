// What the user asked for.
#pragma once

#include "compiler/cnnc.h"

#include <optional>
#include <variant>

namespace cnnc::driver {

/// What the command does with the model. At most one is asked for.
enum class Action {
  compile, // -o model.so | .o | .a
  emit,
  run_passes, // for what --print-after, --print-before, --print-after-change or --stats shows
  check,
  summary,
  run,
  time_run,
  profile,
  explain,
  verify,
  compare,
  compare_each,
  compare_schedules,
  reduce,
  calibrate,
  report,
  list_ops,
  list_passes,
  serve_editor // --lsp
};

/// How --print-after-change shows what a pass has changed.
enum class Changes { no, diff, text };

enum class Statistics { no, table, json };

struct CommandLine {
  Action action = Action::compile;
  std::string input; // "-" is standard input
  std::string output;
  std::string depfile;        // of Action::compile: the files that were read, for make and ninja
  Stage stage = Stage::loops; // of Action::emit
  LoadOptions load;
  Options options;
  bool markdown = false;
  bool time = false;
  Changes changes = Changes::no;
  bool print_llvm = false; // among what --print-after asks for
  Statistics statistics = Statistics::no;
  bool color = false; // in what is printed to standard output

  // Of Action::reduce.
  std::string test;         // a command of the shell
  double test_timeout = 60; // seconds

  std::string report; // of Action::report: the page

  // Of Action::calibrate.
  std::string images; // a pattern that names .npy files
  CalibrateOptions calibrate;

  // Of the actions that run the model.
  std::vector<std::string> tensors; // .npy files; empty: random inputs (compare: inputs, outputs)
  std::string output_folder;
  std::string reference; // of Action::compare_each: a folder of .npy files, or a .npz file
  uint32_t threads = 1;
  int64_t batch = 1;
  uint64_t seed = 1;
  std::optional<double> tolerance; // else one of those below

  // Of Action::profile.
  ProfileOptions profile;
  bool each_kernel = false; // a row for every kernel, not one for all that are equal
  std::string json_file;    // of Action::explain and Action::compare_schedules, too
  std::string trace_file;

  // Of Action::compare_schedules.
  std::string compared_kernel; // without @
  double seconds = 20;         // of measuring
};

inline constexpr double verify_tolerance = 1e-4, compare_tolerance = 2e-4;

inline constexpr int exit_fine = 0, exit_wrong_input = 1, exit_wrong_command_line = 2;

/// The command line, or the exit code when there is nothing more to do: help was printed, or a
/// mistake.
std::variant<CommandLine, int> parse_command_line(int argc, char **argv);

} // namespace cnnc::driver
