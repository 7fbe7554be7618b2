#include "ir/weights/random.h"

#include <algorithm>
#include <cmath>

namespace cnnc {
namespace {

constexpr uint64_t golden = 0x9e3779b97f4a7c15;

/// The output function of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that passes
/// BigCrush on a counter.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// The number of ones, in operations that compilers turn into vectors.
uint64_t count_ones(uint64_t bits) {
  bits -= (bits >> 1) & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
  bits += bits >> 8;
  bits += bits >> 16;
  return (bits + (bits >> 32)) & 0x7f;
}

/// A sample of nearly normal distribution, in units of 2^-32, exactly symmetric about 0, with
/// variance (97 / 6) * 2^64.
///
/// The number of ones among 64 random bits is a sum of 64 independent variables: by the central
/// limit theorem nearly normal, with variance 16. Two uniform values in [0, 1) on top (together a
/// triangle two steps wide, variance 1 / 6) turn its steps into a continuous, piecewise linear
/// density. Two hashes a sample; excess kurtosis -0.03, against -0.1 of the usual sum of twelve
/// uniforms, and tails up to 8 standard deviations.
int64_t normal_sample(uint64_t bits, uint64_t fraction) {
  constexpr int64_t one = int64_t{1} << 32;
  auto ones = static_cast<int64_t>(count_ones(bits));
  int64_t uniforms =
      static_cast<int64_t>(fraction & 0xffffffff) + static_cast<int64_t>(fraction >> 32);
  return (ones - 33) * one + uniforms + 1;
}

/// Every operation is exact or exactly rounded, and there is no sum behind a product to be fused:
/// it does not matter which instructions compute this.
[[gnu::always_inline]] inline void fill(std::span<float> out, double scale, uint64_t counter) {
  for (size_t i = 0; i < out.size(); ++i) {
    uint64_t position = counter + 2 * i * golden;
    int64_t sample = normal_sample(mix(position), mix(position + golden));
    out[i] = static_cast<float>(static_cast<double>(sample) * scale);
  }
}

void fill_anywhere(std::span<float> out, double scale, uint64_t counter) {
  fill(out, scale, counter);
}

#if defined(__x86_64__)
/// Eight samples at a time, on CPUs that multiply vectors of 64-bit integers.
[[gnu::target("avx512f,avx512dq")]] void fill_avx512(std::span<float> out, double scale,
                                                     uint64_t counter) {
  fill(out, scale, counter);
}
#endif

} // namespace

void fill_random_he(std::span<float> out, int64_t fan_in, uint64_t seed, uint64_t first_index) {
  // sqrt(2 / fan_in) over the standard deviation of a sample
  double scale =
      std::sqrt(12.0 / (97.0 * static_cast<double>(std::max<int64_t>(fan_in, 1)))) * 0x1p-32;
  uint64_t counter = mix(seed + golden) + 2 * first_index * golden;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512dq"))
    return fill_avx512(out, scale, counter);
#endif
  fill_anywhere(out, scale, counter);
}

} // namespace cnnc
