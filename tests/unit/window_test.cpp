// How many windows slide over an input, counted by walking over it.
#include "ir/graph/ops/window.h"

#include <gtest/gtest.h>

namespace cnnc {
namespace {

/// Windows stand at every stride-th element of the padded input as long as they fit; with ceil_mode
/// as long as the one before has not reached the end, but for a last one that begins in the padding
/// behind the input.
int64_t walk(const Window &window) {
  const int64_t end = window.pad_before + window.input + window.pad_after;
  int64_t count = 0, reached = 0, last_begin = 0;
  for (int64_t begin = 0;; begin += window.stride) {
    int64_t last = begin; // of its elements
    for (int64_t tap = 1; tap < window.kernel; ++tap)
      last += window.dilation;
    if (last >= end && !(window.ceil_mode && reached < end))
      break;
    ++count;
    reached = last + 1;
    last_begin = begin;
  }
  const bool in_padding = last_begin >= window.pad_before + window.input;
  return window.ceil_mode && count > 1 && in_padding ? count - 1 : count;
}

TEST(Window, counts_what_a_walk_finds) {
  for (int64_t input = 1; input <= 9; ++input)
    for (int64_t kernel = 1; kernel <= 4; ++kernel)
      for (int64_t stride = 1; stride <= 5; ++stride)
        for (int64_t dilation = 1; dilation <= 3; ++dilation)
          for (int64_t before = 0; before <= 3; ++before)
            for (int64_t after = 0; after <= 3; ++after)
              for (bool ceil_mode : {false, true}) {
                const Window window{input, kernel, stride, before, after, dilation, ceil_mode};
                if (dilation * (kernel - 1) >= input + before + after)
                  continue; // not even the first one fits
                EXPECT_EQ(window.output(), walk(window))
                    << input << " elements, kernel " << kernel << ", stride " << stride
                    << ", dilation " << dilation << ", pads " << before << " and " << after
                    << (ceil_mode ? ", ceil" : "");
              }
}

} // namespace
} // namespace cnnc
