// How far ahead of their use the weights of a kernel are prefetched.
#pragma once

#include "compiler/pass/decisions.h"

#include <cstdint>

namespace cnnc {

/// The distance of the prefetch in bytes; 0: none. Weights come from
/// beyond the second cache the first time that a kernel reads them, one cache line for the few
/// operations that a line of them serves, and the processor alone does not fetch them early enough:
/// 512 channels at 7x7 gain 20 to 40 %. Where every weight is read many times (`sweeps`), the
/// prefetches cost more than the first sweep gains: 28x28 loses 5 to 20 %. A sweep of integers takes
/// a quarter of the time, in which fewer lines arrive by themselves: 4 sweeps at 7x7 gain 12 to 15 %,
/// 14 at 14x14 3 %.
inline int64_t prefetch_distance(int64_t weight_bytes, int64_t sweeps, const Recorder &recorder,
                                 bool integers = false) {
  constexpr int64_t first_level = 64 << 10, distance = 4096;
  const int64_t most_sweeps = integers ? 14 : 3;
  if (weight_bytes <= first_level) {
    recorder.note("prefetch", "none", "the weights are few");
    return 0;
  }
  if (sweeps > most_sweeps) {
    recorder.note("prefetch", "none", text("many sweeps over the weights: {}", sweeps));
    return 0;
  }
  recorder.note("prefetch", text("{} bytes ahead", distance),
                text("few sweeps over weights from beyond the cache: {}", sweeps));
  return distance;
}

} // namespace cnnc
