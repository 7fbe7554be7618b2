#include "compiler/schedule/partial_sums.h"

#include "compiler/schedule/spelt_loops.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>

namespace cnnc {

std::vector<LoopFactor> partial_sums(const char *loop, int64_t count, int64_t block, int64_t terms,
                                     const Recorder &recorder) {
  constexpr int64_t enough = 256, most = 304; // products of a sum that stays whole, and of a part
  block = std::max<int64_t>(1, block);
  const int64_t products = block * terms, blocks = count / block;
  if (blocks <= std::max<int64_t>(1, (enough + products / 2) / products)) {
    recorder.note("partial sums", "none", text("a sum has {} products only", count * terms));
    return {};
  }
  const int64_t largest = std::clamp<int64_t>(most / products, 1, blocks - 1);
  // All of one size where the blocks can be shared out like that.
  int64_t size = largest;
  while (size > largest / 2 && blocks % size != 0)
    --size;
  if (blocks % size != 0)
    size = ceil_div(blocks, ceil_div(blocks, largest));
  const std::vector<LoopFactor> parts = {{loop, size * block}};
  recorder.note("partial sums", parts,
                text("sums of {} products in parts of {} keep more of their digits", count * terms,
                     size * products));
  return parts;
}

} // namespace cnnc
