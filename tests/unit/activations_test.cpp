// Activations as they are compiled, against formulas in long double: over all exponents of floats,
// and densely where the results change. Errors are in units in the last place of the result.
#include "compiler/cnnc.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <limits>
#include <numbers>

namespace cnnc {
namespace {

using Exact = long double (*)(long double);

constexpr size_t count = 1 << 16;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float smallest = std::numeric_limits<float>::min(); // that is normal
constexpr float least_operand = 8 * smallest; // so that quotients of it are normal, too

long double negative_part(long double x) { return std::expm1(x); }
long double bell_tail(long double x) { // (1 + erf(x / sqrt 2)) / 2
  return std::erfc(-x / std::numbers::sqrt2_v<long double>) / 2;
}
long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }
long double log1p_exp(long double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
long double tanh_argument(long double x) {
  return std::sqrt(2 / std::numbers::pi_v<long double>) * (x + 0.044715L * x * x * x);
}

struct Range {
  float low, high;
  double ulps; // the largest error allowed
};

struct Row {
  const char *op;
  Exact exact;
  std::vector<Range> ranges;
};

const Row rows[] = {
    {"elu", [](long double x) { return x < 0 ? negative_part(x) : x; }, {{-200, 10, 2}}},
    {"elu alpha=0.5",
     [](long double x) { return x < 0 ? negative_part(x) / 2 : x; },
     {{-200, 1, 2}}},
    {"celu", [](long double x) { return x < 0 ? negative_part(x) : x; }, {{-200, 10, 2}}},
    {"celu alpha=2",
     [](long double x) { return x < 0 ? 2 * negative_part(x / 2) : x; },
     {{-99, 1, 2}}},
    {"celu alpha=-2",
     [](long double x) { return x < 0 ? -2 * negative_part(x / -2) : x; },
     {{-99, 1, 3}}},
    {"selu",
     [](long double x) {
       const long double alpha = 1.6732631921768188L, gamma = 1.0507010221481323L;
       return gamma * (x < 0 ? alpha * negative_part(x) : x);
     },
     {{-200, 10, 3}}},
    {"sigmoid", logistic, {{-87, 100, 3}}},
    {"silu", [](long double x) { return x * logistic(x); }, {{-87, 100, 4}}},
    {"mish", [](long double x) { return x * std::tanh(log1p_exp(x)); }, {{-91.7F, 100, 5}}},
    {"softplus", log1p_exp, {{-87, 100, 4}}},
    {"gelu",
     [](long double x) { return x * bell_tail(x); },
     {{-1, 100, 5}, {-3, -1, 12}, {-12.9F, -3, 120}}},
    {"gelu_tanh",
     [](long double x) { return x / (1 + std::exp(-2 * tanh_argument(x))); },
     {{-1, 100, 4}, {-3, -1, 20}, {-10, -3, 300}}},
    {"tanh", [](long double x) { return std::tanh(x); }, {{-20, 20, 3}}},
    {"sin", [](long double x) { return std::sin(x); }, {{-100, 100, 2}, {-3e38F, 3e38F, 2}}},
    {"cos", [](long double x) { return std::cos(x); }, {{-100, 100, 2}, {-3e38F, 3e38F, 2}}},
    {"softsign", [](long double x) { return x / (1 + std::abs(x)); }, {{-1e30F, 1e30F, 2}}},
};

float from_bits(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Half of them evenly spread over the range, half over the exponents, smallest numbers included.
std::vector<float> samples(Range range) {
  std::vector<float> values;
  for (size_t i = 0; i < count / 2; ++i)
    values.push_back(range.low + (range.high - range.low) *
                                     (static_cast<float>(i) / static_cast<float>(count / 2 - 1)));
  for (uint32_t bits = 1; values.size() < count; bits += 2654435761U)
    if (float x = from_bits(bits);
        x >= range.low && x <= range.high && std::abs(x) >= least_operand)
      values.push_back(x);
  return values;
}

long double error_in_ulps(float actual, long double exact) {
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::abs(static_cast<long double>(actual) - exact) /
         std::ldexp(1.0L, std::max(exponent, -125) - 24);
}

std::vector<float> run(const std::string &op, const std::vector<float> &x, const char *cpu) {
  Options options;
  options.cpu = cpu;
  Result<Model> model =
      parse(fmt::format("model @m(%x: f32[{}]) {{\n  %y = {} %x{}\n  return %y\n}}\n", x.size(),
                        op.substr(0, op.find(' ')),
                        op.find(' ') == std::string::npos ? "" : op.substr(op.find(' '))));
  EXPECT_TRUE(model) << model.error();
  Result<Program> program = jit(*model, options);
  EXPECT_TRUE(program) << program.error();
  std::vector<float> y(x.size());
  EXPECT_TRUE(program->run({x.data()}, {y.data()}));
  return y;
}

class Activations : public testing::TestWithParam<const char *> {};

TEST_P(Activations, are_as_exact_as_promised) {
  for (const Row &row : rows)
    for (const Range &range : row.ranges) {
      const std::vector<float> x = samples(range), y = run(row.op, x, GetParam());
      long double largest = 0;
      float at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        long double exact = row.exact(x[i]);
        if (std::abs(exact) < static_cast<long double>(smallest))
          exact = std::abs(y[i]) <= smallest ? static_cast<long double>(y[i]) : exact;
        long double error = error_in_ulps(y[i], exact);
        if (!(error <= largest))
          largest = error, at = x[i];
      }
      EXPECT_LE(largest, range.ulps) << row.op << " of " << at;
    }
}

/// What they give far away, and for what is no number.
TEST_P(Activations, at_the_ends) {
  struct {
    const char *op;
    float below, above;
  } const ends[] = {
      {"elu", -1, infinity},     {"celu", -1, infinity}, {"selu", -1.7580993F, infinity},
      {"sigmoid", 0, 1},         {"silu", 0, infinity},  {"mish", 0, infinity},
      {"softplus", 0, infinity}, {"gelu", 0, infinity},  {"gelu_tanh", 0, infinity},
      {"tanh", -1, 1},           {"relu", 0, infinity},  {"sign", -1, 1}};
  for (const auto &[op, below, above] : ends) {
    const std::vector<float> y =
        run(op, {-infinity, infinity, NAN, 0, -1e30F, 1e-40F, -1e-40F, -1e-8F}, GetParam());
    EXPECT_EQ(y[0], below) << op;
    EXPECT_EQ(y[1], above) << op;
    EXPECT_TRUE(std::isnan(y[2])) << op;
    EXPECT_EQ(y[4], below) << op;
    if (std::string_view(op) == "sign") {
      EXPECT_EQ(y[5], 0);
      EXPECT_EQ(y[6], 0);
      EXPECT_EQ(y[7], -1);
    }
  }
  EXPECT_EQ(run("elu", {-1e-8F}, GetParam())[0], -1e-8F);
  EXPECT_EQ(run("celu", {-1e-8F}, GetParam())[0], -1e-8F);
  EXPECT_NEAR(run("selu", {-1e-8F}, GetParam())[0], -1.7580993e-8F, 2e-15F);
}

INSTANTIATE_TEST_SUITE_P(Cpus, Activations, testing::Values("native", "x86-64-v3", "x86-64"),
                         [](const testing::TestParamInfo<const char *> &row) {
                           return std::string(row.index == 0   ? "native"
                                              : row.index == 1 ? "avx2"
                                                               : "sse2");
                         });

} // namespace
} // namespace cnnc
