#include "ir/loop/scratch.h"

#include <algorithm>
#include <utility>

namespace cnnc::loop {

namespace {

/// Bytes alive at a time in a block; those inside of parallel loops go to `worker` instead.
int64_t peak(const std::vector<Statement> &body, int64_t &worker) {
  int64_t alive = 0, most = 0;
  for (const Statement &statement : body) {
    if (const auto *reg = std::get_if<Register>(&statement.node); reg && reg->in_memory)
      alive += scratch_bytes(*reg);
    int64_t inside = 0;
    if (const auto *inner = std::get_if<For>(&statement.node)) {
      inside = peak(inner->body, worker);
      if (inner->kind == LoopKind::parallel)
        worker = std::max(worker, std::exchange(inside, 0));
    }
    most = std::max(most, alive + inside);
  }
  return most;
}

} // namespace

int64_t scratch_bytes(const Register &scratch) {
  int64_t bytes = size_of(scratch.dtype);
  for (int64_t dim : scratch.shape)
    bytes *= dim;
  return (bytes + scratch_alignment - 1) / scratch_alignment * scratch_alignment;
}

ScratchSize scratch_size(const Kernel &kernel) {
  ScratchSize size;
  size.shared = peak(kernel.body, size.worker);
  return size;
}

} // namespace cnnc::loop
