#include "compiler/driver/shell_command.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace cnnc::driver {

namespace {

/// The process group of the command; 0: none is running.
std::atomic<pid_t> running = 0;

/// What the command gets of this process: a group of its own, so that it can be ended with all that
/// it has started, no blocked signals, and its files.
class Surroundings {
public:
  explicit Surroundings(const std::filesystem::path &output) {
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files_, STDOUT_FILENO, STDERR_FILENO);
  }
  ~Surroundings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  Surroundings(const Surroundings &) = delete;
  Surroundings &operator=(const Surroundings &) = delete;

  /// An error number, or 0.
  int spawn(const std::string &command, pid_t &process) const {
    const char *arguments[] = {"sh", "-c", command.c_str(), nullptr};
    return posix_spawn(&process, "/bin/sh", &files_, &attributes_,
                       const_cast<char *const *>(arguments), environ);
  }

private:
  posix_spawnattr_t attributes_ = {};
  posix_spawn_file_actions_t files_ = {};
};

/// Looks again and again, first after short times: most commands end soon.
bool ended_in_time(pid_t process, std::chrono::milliseconds time_limit, int &status) {
  constexpr std::chrono::microseconds first_rest(200), longest_rest(20'000);
  const auto deadline = std::chrono::steady_clock::now() + time_limit;
  for (auto rest = first_rest; waitpid(process, &status, WNOHANG) == 0;
       rest = std::min(2 * rest, longest_rest)) {
    if (std::chrono::steady_clock::now() >= deadline)
      return false;
    std::this_thread::sleep_for(rest);
  }
  return true;
}

} // namespace

Result<CommandEnd> run_command(const std::string &command, std::chrono::milliseconds time_limit,
                               const std::filesystem::path &output) {
  pid_t process = 0;
  if (int failure = Surroundings(output).spawn(command, process); failure != 0)
    return Error{fmt::format("cnnc: error: cannot run /bin/sh: {}\n",
                             std::generic_category().message(failure))};
  running = process;
  int status = 0;
  CommandEnd end;
  if (!ended_in_time(process, time_limit, status)) {
    end.timed_out = true;
    kill(-process, SIGKILL);
    waitpid(process, &status, 0);
  } else {
    kill(-process, SIGKILL); // what it has left in the background
  }
  running = 0;
  if (!end.timed_out && WIFSIGNALED(status))
    end.signal = WTERMSIG(status);
  else if (!end.timed_out)
    end.exit_code = WEXITSTATUS(status);
  return end;
}

void kill_running_command() {
  if (pid_t group = running; group != 0)
    kill(-group, SIGKILL);
}

std::string shell_quoted(const std::string &word) {
  std::string result = "'";
  for (char c : word)
    result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

} // namespace cnnc::driver
