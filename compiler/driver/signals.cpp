#include "compiler/driver/signals.h"

#include "compiler/driver/shell_command.h"
#include "ir/text/temporary.h"

#include <csignal>
#include <thread>

namespace cnnc::driver {

void clean_up_on_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN)
      sigaddset(&signals, signal);
  }
  // Blocked in all threads, so that one of its own, which may do what a handler may not, waits.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0)
      return;
    kill_running_command();
    remove_temporary_folders();
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    std::raise(signal);
  }).detach();
}

} // namespace cnnc::driver
