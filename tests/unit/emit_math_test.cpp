// Mathematical functions as code generation writes them, against the C library in double: over
// every exponent and sign of a float, and densely where results change fast. The bounds are those
// that emit_math.h promises.
#include "compiler/cnnc.h"
#include "compiler/codegen/emit_math.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>

namespace cnnc {
namespace {

constexpr size_t count = 1 << 16; // elements per call

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Random mantissas for every exponent and sign, subnormal numbers included.
std::vector<float> all_exponents() {
  std::mt19937 random(1);
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) {
    uint32_t exponent = static_cast<uint32_t>(i) % 255, sign = static_cast<uint32_t>(i) / 255 % 2;
    values.push_back(from_bits(sign << 31 | exponent << 23 | (random() & 0x7fffff)));
  }
  return values;
}

std::vector<float> between(float low, float high) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  return values;
}

/// The error of a float in units of the distance between floats at the exact result.
double error_in_ulps(float actual, double exact) {
  if (std::isinf(static_cast<float>(exact)) || std::isinf(actual))
    return static_cast<float>(exact) == actual ? 0 : INFINITY;
  int exponent = 0;
  std::frexp(exact, &exponent);
  double ulp = std::ldexp(1.0, std::max(exponent, -125) - 24);
  return std::abs(static_cast<double>(actual) - exact) / ulp;
}

/// An expression of the loops text in a and b, compiled into this process for the CPU.
class OneFunction {
public:
  OneFunction(const std::string &expression, const std::string &cpu) {
    Options options;
    options.cpu = cpu;
    std::string text =
        "model @m(%x: f32[65536], %z: f32[65536]) {\n"
        "  %y = call \"f\" %x, %z : f32[65536]\n  return %y\n}\n"
        "kernel @f(x: f32[65536], z: f32[65536]) -> (y: f32[65536]) {\n"
        "  for i in 0..4096 {\n    reg a: f32[16] reg b: f32[16]\n    vector v in 0..16 {\n"
        "      a[v] = x[i * 16 + v]\n      b[v] = z[i * 16 + v]\n"
        "      y[i * 16 + v] = " +
        expression + "\n    }\n  }\n}\n";
    Result<Model> model = parse(text);
    EXPECT_TRUE(model) << model.error();
    Result<Program> program = jit(*model, options);
    EXPECT_TRUE(program) << program.error();
    if (program)
      program_ = std::move(*program);
  }
  std::vector<float> operator()(const std::vector<float> &x) const { return (*this)(x, x); }
  std::vector<float> operator()(const std::vector<float> &x, const std::vector<float> &z) const {
    std::vector<float> y(x.size());
    Result<void> ran = program_->run({x.data(), z.data()}, {y.data()});
    EXPECT_TRUE(ran) << ran.error();
    return y;
  }

private:
  std::optional<Program> program_;
};

/// The float as models see it: subnormal numbers are 0.
double as_operand(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0, static_cast<double>(x))
                                            : static_cast<double>(x);
}

/// The largest error over the values.
double largest_error(const OneFunction &op, double (*exact)(double), const std::vector<float> &x) {
  std::vector<float> y = op(x);
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double error = error_in_ulps(y[i], exact(as_operand(x[i])));
    EXPECT_FALSE(std::isnan(error)) << x[i];
    if (error > largest)
      largest = error;
  }
  return largest;
}

/// e^x, but 0 where that is no normal float.
double normal_exp(double x) {
  double result = std::exp(x);
  return result < static_cast<double>(std::numeric_limits<float>::min()) ? 0 : result;
}

class EmitMath : public testing::TestWithParam<const char *> {};

TEST_P(EmitMath, exp_is_as_exact_as_promised) {
  OneFunction op("exp(a[v])", GetParam());
  for (const std::vector<float> &x :
       {all_exponents(), between(-104.5f, 89.5f), between(-87.34f, -87.33f),
        between(88.72f, 88.73f), between(-1, 1)})
    EXPECT_LT(largest_error(op, normal_exp, x), codegen::exp_error_in_ulps);
}

TEST_P(EmitMath, expm1_is_as_exact_as_promised) {
  OneFunction op("expm1(a[v])", GetParam());
  for (const std::vector<float> &x : {between(-104.5f, 88), between(-1, 1), between(-1e-6f, 1e-6f)})
    EXPECT_LT(largest_error(op, std::expm1, x), codegen::expm1_error_in_ulps);
}

TEST_P(EmitMath, sin_and_cos_are_as_exact_as_promised) {
  OneFunction sine("sin(a[v])", GetParam()), cosine("cos(a[v])", GetParam());
  // Those floats are closest to a multiple of a quarter of a turn, and the largest one.
  std::vector<float> close(count, 16367173.0f * 0x1p72f);
  close[1] = 10632283.0f * 0x1p-22f, close[2] = 0x1.921fb6p1f, close[3] = 0x1.921fb6p0f;
  close[4] = std::numeric_limits<float>::max();
  for (const std::vector<float> &x :
       {all_exponents(), between(-10, 10), between(-1e5f, 1e5f), between(-3e9f, 3e9f), close}) {
    EXPECT_LT(largest_error(sine, std::sin, x), codegen::sine_error_in_ulps);
    EXPECT_LT(largest_error(cosine, std::cos, x), codegen::sine_error_in_ulps);
  }
}

TEST_P(EmitMath, normcdf_is_as_exact_as_promised) {
  OneFunction op("normcdf(a[v])", GetParam());
  auto exact = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; };
  EXPECT_LT(largest_error(op, exact, between(-3, 30)), codegen::normcdf_error_in_ulps);
  EXPECT_LT(largest_error(op, exact, between(-12.9f, -3)), 10 * codegen::normcdf_error_in_ulps);
}

TEST_P(EmitMath, tanh_is_as_exact_as_promised) {
  OneFunction op("tanh(a[v])", GetParam());
  EXPECT_LT(largest_error(op, std::tanh, all_exponents()), codegen::tanh_error_in_ulps);
  EXPECT_LT(largest_error(op, std::tanh, between(-10, 10)), codegen::tanh_error_in_ulps);
  EXPECT_LT(largest_error(op, std::tanh, between(0.62f, 0.63f)), codegen::tanh_error_in_ulps);
}

TEST_P(EmitMath, special_values) {
  std::vector<float> x(count, 0.0f);
  x[1] = -0.0f;
  x[2] = INFINITY;
  x[3] = -INFINITY;
  x[4] = NAN;
  std::vector<float> e = OneFunction("exp(a[v])", GetParam())(x);
  std::vector<float> t = OneFunction("tanh(a[v])", GetParam())(x);
  std::vector<float> l = OneFunction("log(a[v])", GetParam())(x);
  std::vector<float> f = OneFunction("erf(a[v])", GetParam())(x);
  EXPECT_EQ(e[0], 1);
  EXPECT_EQ(e[1], 1);
  EXPECT_EQ(e[2], INFINITY);
  EXPECT_EQ(e[3], 0);
  EXPECT_TRUE(std::isnan(e[4]));
  EXPECT_EQ(t[0], 0);
  EXPECT_TRUE(t[1] == 0 && std::signbit(t[1]));
  EXPECT_EQ(t[2], 1);
  EXPECT_EQ(t[3], -1);
  EXPECT_TRUE(std::isnan(t[4]));
  EXPECT_EQ(l[0], -INFINITY);
  EXPECT_EQ(l[1], -INFINITY);
  EXPECT_EQ(l[2], INFINITY);
  EXPECT_TRUE(std::isnan(l[3]));
  EXPECT_TRUE(std::isnan(l[4]));
  EXPECT_EQ(f[0], 0);
  EXPECT_TRUE(f[1] == 0 && std::signbit(f[1]));
  EXPECT_EQ(f[2], 1);
  EXPECT_EQ(f[3], -1);
  EXPECT_TRUE(std::isnan(f[4]));
}

TEST_P(EmitMath, log_is_as_exact_as_promised) {
  OneFunction op("log(a[v])", GetParam());
  std::vector<float> magnitudes = all_exponents();
  for (float &x : magnitudes)
    x = std::abs(x);
  for (const std::vector<float> &x : {magnitudes, between(0.5f, 2), between(0.99f, 1.01f)})
    EXPECT_LT(largest_error(op, std::log, x), codegen::log_error_in_ulps);
  for (float y : op(between(-10, -0.001f)))
    EXPECT_TRUE(std::isnan(y));
}

TEST_P(EmitMath, erf_is_as_exact_as_promised) {
  OneFunction op("erf(a[v])", GetParam());
  for (const std::vector<float> &x :
       {all_exponents(), between(-5, 5), between(0.92f, 0.94f), between(3.8f, 4.2f)})
    EXPECT_LT(largest_error(op, std::erf, x), codegen::erf_error_in_ulps);
}

/// Results below the smallest normal number may be 0.
void expect_pow(float x, float y, float actual) {
  double exact = std::pow(as_operand(x), as_operand(y));
  if (std::isnan(exact)) {
    EXPECT_TRUE(std::isnan(actual)) << x << " ^ " << y << " = " << actual;
    return;
  }
  if (std::abs(exact) < static_cast<double>(std::numeric_limits<float>::min()))
    exact = std::copysign(0.0, exact);
  if (std::abs(exact) == 0) {
    EXPECT_LE(std::abs(actual), std::numeric_limits<float>::min()) << x << " ^ " << y;
    EXPECT_EQ(std::signbit(actual), std::signbit(exact)) << x << " ^ " << y;
    return;
  }
  EXPECT_LT(error_in_ulps(actual, exact), codegen::pow_error_in_ulps)
      << x << " ^ " << y << " = " << actual;
}

TEST_P(EmitMath, pow_is_that_of_c) {
  OneFunction op("pow(a[v], b[v])", GetParam());
  const std::vector<float> special = {
      0,      -0.0f,      1,     -1,         2,          -2,           0.5f,      -0.5f,
      3,      -3,         1e30f, -1e30f,     NAN,        INFINITY,     -INFINITY, 16777218.0f,
      1e-30f, 0.9999999f, -4,    8388607.5f, 1.0000001f, -16777215.0f, 7.25f,     -1e-30f};
  std::vector<float> x = all_exponents(), y = between(-40, 40);
  for (size_t i = 0; i < special.size() * special.size(); ++i) {
    x[i] = special[i / special.size()];
    y[i] = special[i % special.size()];
  }
  for (size_t i = 1024; i < 8192; ++i) // integers of both signs, and results all over the range
    y[i] = static_cast<float>(static_cast<int>(i % 41) - 20);
  for (size_t i = 8192; i < count; ++i)
    x[i] = std::abs(x[i]);
  std::vector<float> z = op(x, y);
  for (size_t i = 0; i < count && !HasFailure(); ++i)
    expect_pow(x[i], y[i], z[i]);
  std::vector<float> near_one = between(0.5f, 1.5f), large = between(-130, 130);
  z = op(near_one, large);
  for (size_t i = 0; i < count && !HasFailure(); ++i)
    expect_pow(near_one[i], large[i], z[i]);
}

TEST_P(EmitMath, rounding_is_exact) {
  struct {
    const char *expression;
    float (*exact)(float);
  } const functions[] = {{"floor(a[v])", std::floor},
                         {"ceil(a[v])", std::ceil},
                         {"round(a[v])", std::nearbyint},
                         {"abs(a[v])", std::abs}};
  for (const auto &[expression, exact] : functions) {
    OneFunction op(expression, GetParam());
    std::vector<float> halves(count);
    for (size_t i = 0; i < count; ++i)
      halves[i] = (static_cast<float>(i) - 32768) / 4;
    for (std::vector<float> x : {all_exponents(), halves, between(-3, 3)}) {
      x[0] = INFINITY, x[1] = -INFINITY, x[2] = -0.0f, x[3] = 8388607.5f, x[4] = -0.75f;
      std::vector<float> y = op(x);
      for (size_t i = 0; i < count && !HasFailure(); ++i) {
        float wanted = exact(static_cast<float>(as_operand(x[i])));
        EXPECT_EQ(as_operand(y[i]), static_cast<double>(wanted)) << expression << " of " << x[i];
        EXPECT_EQ(std::signbit(y[i]), std::signbit(wanted)) << expression << " of " << x[i];
      }
      x[0] = NAN;
      EXPECT_TRUE(std::isnan(op(x)[0])) << expression;
    }
  }
}

TEST_P(EmitMath, comparisons_with_nan) {
  std::vector<float> x(count, 1.0f), y(count, 1.0f);
  x[1] = NAN, y[2] = NAN, x[3] = y[3] = NAN, x[4] = -0.0f, y[4] = 0, x[5] = 2;
  std::vector<float> equal = OneFunction("select(a[v] == b[v], 1, 0)", GetParam())(x, y);
  EXPECT_EQ(std::vector<float>(equal.begin(), equal.begin() + 6),
            (std::vector<float>{1, 0, 0, 0, 1, 0}));
}

std::string cpu_name(const testing::TestParamInfo<const char *> &row) {
  return row.index == 0 ? "native" : row.index == 1 ? "avx2" : "sse2";
}

INSTANTIATE_TEST_SUITE_P(Cpus, EmitMath, testing::Values("native", "x86-64-v3", "x86-64"),
                         cpu_name);

} // namespace
} // namespace cnnc
