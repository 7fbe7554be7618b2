// Independent pieces of work on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace cnnc {

/// Told how many pieces of work of how many are done; never called from two threads at a time.
using Progress = std::function<void(size_t done, size_t total)>;

struct JobOptions {
  unsigned threads = 0; ///< 0: one per core
  Progress progress = {};
};

/// Calls function(i) for every i below `count`, starting them in this order on several threads, of
/// which the caller's is one. Returns when all are done. What a function throws is thrown here, the
/// first of several; what has not begun by then is left out.
template <class Function>
void run_jobs(size_t count, const JobOptions &options, Function function) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  size_t done = 0;
  auto work = [&] {
    try {
      for (size_t i = next++; i < count; i = next++) {
        function(i);
        std::lock_guard lock(mutex);
        if (++done; options.progress)
          options.progress(done, count);
      }
    } catch (...) {
      next = count;
      std::lock_guard lock(mutex);
      if (!failure)
        failure = std::current_exception();
    }
  };
  const size_t threads =
      options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> workers;
    workers.reserve(std::min(threads, count));
    for (size_t i = 1; i < std::min(threads, count); ++i) {
      try {
        workers.emplace_back(work);
      } catch (const std::system_error &) {
        break; // no more threads: those that run do the work
      }
    }
    work();
  }
  if (failure)
    std::rethrow_exception(failure);
}

} // namespace cnnc
