// What a slice takes, for all small starts, ends and steps, by walking from the start on.
#include "tests/unit/test_models.h"

namespace cnnc {
namespace {

/// As Python takes list[start:end:step]: numbers below 0 count from the end, the walk begins at the
/// nearest element that there is, and ends before `end` is reached or passed.
std::vector<float> walk(int64_t size, int64_t start, int64_t end, int64_t step) {
  auto from_begin = [&](int64_t at) { return at < 0 ? at + size : at; };
  std::vector<float> taken;
  int64_t at = from_begin(start), stop = from_begin(end);
  while (step > 0 && at < 0)
    ++at;
  while (step < 0 && at >= size)
    --at;
  if (step < 0 && end < -size)
    stop = -1; // element 0, too
  for (; step > 0 ? at < stop : at > stop; at += step)
    if (at >= 0 && at < size)
      taken.push_back(static_cast<float>(at));
  return taken;
}

TEST(Slice, takes_what_a_walk_takes) {
  for (int64_t size = 1; size <= 5; ++size)
    for (int64_t start = -7; start <= 7; ++start)
      for (int64_t end = -7; end <= 7; ++end)
        for (int64_t step : {1, 2, 3, -1, -2, -3}) {
          const std::string text = fmt::format(
              "%y = slice %x0 starts=[{}] ends=[{}] axes=[0] steps=[{}]", start, end, step);
          EXPECT_EQ(run_op({counting({size})}, text), walk(size, start, end, step))
              << size << " elements: " << text;
        }
}

} // namespace
} // namespace cnnc
