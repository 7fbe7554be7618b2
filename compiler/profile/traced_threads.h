// Threads that say when they did what.
#pragma once

#include "runtime/cnnc_runtime.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace cnnc {

/// What one thread did in one parallel loop. Times since the threads were made.
struct TracedPart {
  uint32_t worker = 0;
  std::chrono::nanoseconds begin{}, end{};
};

/// The parallel loops of one run at a time, in as many equal parts as there are threads; the caller
/// is one of them.
class TracedThreads {
public:
  explicit TracedThreads(uint32_t count);
  ~TracedThreads();
  TracedThreads(const TracedThreads &) = delete;
  TracedThreads &operator=(const TracedThreads &) = delete;

  /// Sets parallel_for of a context, which must not outlive this.
  void serve(cnnc_context &context);
  std::chrono::nanoseconds now() const { return std::chrono::steady_clock::now() - start_; }
  /// The parts since the last call, in the order of the threads.
  std::vector<TracedPart> take_parts();

private:
  static void parallel_for(void *self, int64_t count, cnnc_parallel_body body, void *data);
  void work(uint32_t worker);
  void do_part(uint32_t worker);

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const uint32_t count_;
  std::mutex mutex_;
  std::condition_variable begun_, done_;
  uint64_t loop_ = 0; // number of the loop that runs
  uint32_t left_ = 0; // workers that have not finished it
  bool stop_ = false;
  int64_t iterations_ = 0;
  cnnc_parallel_body body_ = nullptr;
  void *data_ = nullptr;
  std::vector<std::vector<TracedPart>> parts_; // of each worker
  std::vector<std::thread> threads_;
};

} // namespace cnnc
