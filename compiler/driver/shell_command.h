// Commands of the user that are run by the shell.
#pragma once

#include "compiler/cnnc.h"

#include <chrono>
#include <filesystem>
#include <string>

namespace cnnc::driver {

/// How a command ended.
struct CommandEnd {
  bool timed_out = false; // then it was killed, with all that it had started
  int exit_code = 0;      // of a command that ended by itself
  int signal = 0;         // that ended it; 0: none

  bool succeeded() const { return !timed_out && signal == 0 && exit_code == 0; }
};

/// Runs a command with /bin/sh -c, without input; standard output and standard error go to a file,
/// which is replaced.
Result<CommandEnd> run_command(const std::string &command, std::chrono::milliseconds time_limit,
                               const std::filesystem::path &output);

/// Ends the command that is running, if there is one, with all that it has started; for a process
/// that is about to end by a signal.
void kill_running_command();

/// A word as the shell reads it back.
std::string shell_quoted(const std::string &word);

} // namespace cnnc::driver
