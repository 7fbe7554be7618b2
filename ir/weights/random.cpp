#include "ir/weights/random.h"

#include <algorithm>
#include <bit>
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
  int64_t ones = std::popcount(bits);
  int64_t uniforms =
      static_cast<int64_t>(fraction & 0xffffffff) + static_cast<int64_t>(fraction >> 32);
  return (ones - 33) * one + uniforms + 1;
}

} // namespace

void fill_random_he(std::span<float> out, int64_t fan_in, uint64_t seed, uint64_t first_index) {
  uint64_t base = mix(seed + golden);
  // sqrt(2 / fan_in) over the standard deviation of a sample
  double scale =
      std::sqrt(12.0 / (97.0 * static_cast<double>(std::max<int64_t>(fan_in, 1)))) * 0x1p-32;
  uint64_t counter = base + 2 * first_index * golden;
  for (float &value : out) {
    int64_t sample = normal_sample(mix(counter), mix(counter + golden));
    value = static_cast<float>(static_cast<double>(sample) * scale);
    counter += 2 * golden;
  }
}

} // namespace cnnc
