#include "compiler/profile/traced_threads.h"

namespace cnnc {

TracedThreads::TracedThreads(uint32_t count) : count_(count), parts_(count) {
  for (uint32_t worker = 1; worker < count_; ++worker)
    threads_.emplace_back([this, worker] { work(worker); });
}

TracedThreads::~TracedThreads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  begun_.notify_all();
  for (std::thread &thread : threads_)
    thread.join();
}

void TracedThreads::serve(cnnc_context &context) {
  context.threads = count_;
  context.parallel_for = parallel_for;
  context.parallel_user = this;
}

std::vector<TracedPart> TracedThreads::take_parts() {
  std::vector<TracedPart> result;
  for (std::vector<TracedPart> &parts : parts_) {
    result.insert(result.end(), parts.begin(), parts.end());
    parts.clear();
  }
  return result;
}

void TracedThreads::parallel_for(void *self, int64_t count, cnnc_parallel_body body, void *data) {
  auto &threads = *static_cast<TracedThreads *>(self);
  {
    const std::lock_guard lock(threads.mutex_);
    threads.iterations_ = count;
    threads.body_ = body;
    threads.data_ = data;
    threads.left_ = threads.count_ - 1;
    ++threads.loop_;
  }
  threads.begun_.notify_all();
  threads.do_part(0);
  std::unique_lock lock(threads.mutex_);
  threads.done_.wait(lock, [&] { return threads.left_ == 0; });
}

void TracedThreads::work(uint32_t worker) {
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    begun_.wait(lock, [&] { return stop_ || loop_ != seen; });
    if (stop_)
      return;
    seen = loop_;
    lock.unlock();
    do_part(worker);
    lock.lock();
    if (--left_ == 0)
      done_.notify_one();
  }
}

void TracedThreads::do_part(uint32_t worker) {
  const int64_t begin = iterations_ * worker / count_, end = iterations_ * (worker + 1) / count_;
  if (begin == end)
    return;
  const std::chrono::nanoseconds start = now();
  body_(data_, begin, end, worker);
  parts_[worker].push_back({worker, start, now()});
}

} // namespace cnnc
