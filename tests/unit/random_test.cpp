// The numbers of random_uniform: what is said of their quality in compiler/README.md, and the same
// bits from generated code as from the definition.
#include "compiler/cnnc.h"
#include "compiler/reference/random.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <set>

namespace cnnc {
namespace {

constexpr uint32_t count = 1 << 18;

std::vector<double> numbers(uint32_t seed, float counter, uint32_t first = 0) {
  std::vector<double> result;
  for (uint32_t i = 0; i < count; ++i)
    result.push_back(static_cast<double>(reference::uniform(first + i, seed, counter)));
  return result;
}

/// Of what is independent and uniform, in standard deviations of its own: normal, mean 0.
double correlation(const std::vector<double> &a, const std::vector<double> &b,
                   size_t distance = 0) {
  double sum = 0;
  const size_t terms = a.size() - distance;
  for (size_t i = 0; i < terms; ++i)
    sum += (a[i] - 0.5) * (b[i + distance] - 0.5) * 12;
  return sum / std::sqrt(static_cast<double>(terms));
}

TEST(Random, mean_variance_and_distribution) {
  for (uint32_t seed : {0U, 1U, 2U, 0xffffffffU})
    for (float counter : {0.0F, 1.0F, 2.0F, 16777215.0F}) {
      double sum = 0, squares = 0;
      std::vector<double> bins(256);
      for (double x : numbers(seed, counter)) {
        ASSERT_TRUE(x >= 0 && x < 1 && x * 0x1p24 == std::floor(x * 0x1p24));
        sum += x - 0.5;
        squares += (x - 0.5) * (x - 0.5) - 1.0 / 12;
        ++bins[static_cast<size_t>(x * 256)];
      }
      const double n = count;
      EXPECT_LT(std::abs(sum) / std::sqrt(n / 12), 4);
      EXPECT_LT(std::abs(squares) / std::sqrt(n / 180), 4);
      double chi = 0;
      for (double bin : bins)
        chi += (bin - n / 256) * (bin - n / 256) / (n / 256);
      EXPECT_LT(std::abs(chi - 255) / std::sqrt(2 * 255.0), 4.5);
    }
}

TEST(Random, neighbours_counters_and_seeds_do_not_correlate) {
  for (uint32_t seed : {0U, 1U, 12345U}) {
    const std::vector<double> own = numbers(seed, 5);
    for (size_t distance : {1, 2, 3, 4, 8, 16, 64, 256, 1024, 65536})
      EXPECT_LT(std::abs(correlation(own, own, distance)), 4.5) << seed << ", " << distance;
    for (float counter : {4.0F, 6.0F, 7.0F, 8.0F, 21.0F, 261.0F})
      for (size_t distance : {0, 1, 2})
        EXPECT_LT(std::abs(correlation(own, numbers(seed, counter), distance)), 4.5)
            << seed << ", " << counter << ", " << distance;
    for (uint32_t other : {seed + 1, seed + 2, seed ^ 256, ~seed})
      EXPECT_LT(std::abs(correlation(own, numbers(other, 5))), 4.5) << seed << ", " << other;
  }
}

/// A bit of the place, the seed or the counter changes each bit of the result in half of all cases.
TEST(Random, every_bit_changes_every_bit) {
  constexpr uint32_t cases = 1 << 14;
  auto bits = [](uint32_t place, uint32_t seed, uint32_t counter) {
    return static_cast<uint32_t>(reference::uniform(place, seed, static_cast<float>(counter)) *
                                 0x1p24F);
  };
  double worst = 0;
  for (int what = 0; what < 3; ++what)
    for (uint32_t bit = 0; bit < (what == 2 ? 24 : 32); ++bit) {
      std::vector<int> changed(24);
      const uint32_t flip = uint32_t(1) << bit;
      for (uint32_t i = 0; i < cases; ++i) {
        const uint32_t place = i * 2654435761U, seed = i * 40503U, counter = i;
        const uint32_t difference =
            bits(place, seed, counter) ^ bits(place ^ (what == 0 ? flip : 0),
                                              seed ^ (what == 1 ? flip : 0),
                                              counter ^ (what == 2 ? flip : 0));
        for (size_t b = 0; b < 24; ++b)
          changed[b] += difference >> b & 1;
      }
      for (int times : changed)
        worst = std::max(worst, std::abs(times / double(cases) - 0.5));
    }
  EXPECT_LT(worst, 0.025); // six standard deviations of 2^14 cases
}

/// Different counters have different numbers, not the same ones elsewhere.
TEST(Random, counters_share_no_run_of_numbers) {
  std::set<std::pair<float, float>> pairs;
  size_t all = 0;
  for (int counter = 0; counter < 64; ++counter)
    for (uint32_t i = 0; i < 4096; ++i, ++all)
      pairs.emplace(reference::uniform(i, 3, static_cast<float>(counter)),
                    reference::uniform(i + 1, 3, static_cast<float>(counter)));
  EXPECT_EQ(pairs.size(), all);
}

class RandomCode : public testing::TestWithParam<const char *> {};

/// Places up to the last one, counters that are no whole numbers, and lanes that share nothing.
TEST_P(RandomCode, gives_the_bits_of_the_definition) {
  Options options;
  options.cpu = GetParam();
  Result<Model> model =
      parse("model @m(%x: f32[64]) {\n  %y, %z = call \"f\" %x : f32[64], f32[64]\n"
            "  return %y, %z\n}\n"
            "kernel @f(x: f32[64]) -> (y: f32[64], z: f32[64]) {\n"
            "  for i in 0..4, vector v in 0..16 {\n"
            "    y[i * 16 + v] = uniform(i * 16 + v + 4294967232, 77, x[0])\n"
            "  }\n"
            "  for i in 0..4, vector v in 0..16 {\n"
            "    z[i * 16 + v] = uniform((i * 16 + v) / 3, 4294967295, "
            "x[i * 16 + v])\n  }\n}\n");
  ASSERT_TRUE(model) << model.error();
  Result<Program> program = jit(*model, options);
  ASSERT_TRUE(program) << program.error();
  std::vector<float> x(64), y(64), z(64);
  for (size_t i = 0; i < 64; ++i)
    x[i] = static_cast<float>(i) * 0.75F;
  x[0] = 1e6F, x[1] = NAN, x[2] = -3, x[3] = INFINITY, x[4] = 4e9F, x[5] = 0x1p32F;
  ASSERT_TRUE(program->run({x.data()}, {y.data(), z.data()}));
  for (uint32_t i = 0; i < 64; ++i) {
    EXPECT_EQ(y[i], reference::uniform(i + 4294967232U, 77, x[0])) << i;
    EXPECT_EQ(z[i], reference::uniform(i / 3, 0xffffffff, x[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Cpus, RandomCode,
                         testing::Values("x86-64", "x86-64-v3", "x86-64-v4", "native"));

} // namespace
} // namespace cnnc
