// Independent pieces of work on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace cnnc {

/// Calls function(i) for every i below `count`, starting them in this order on `threads` threads
/// (0: one per core), of which the caller's is one. Returns when all are done.
template <class Function> void run_jobs(size_t count, unsigned threads, Function function) {
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < count; i = next++)
      function(i);
  };
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::jthread> workers;
  for (size_t i = 1; i < std::min<size_t>(threads, count); ++i) {
    try {
      workers.emplace_back(work);
    } catch (const std::system_error &) {
      break; // no more threads: those that run do the work
    }
  }
  work();
}

} // namespace cnnc
