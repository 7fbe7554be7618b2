// exp and tanh as code generation writes them, against the C library in double: over every exponent
// and sign of a float, and densely where results change fast. The bounds are those that emit_math.h
// promises.
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

/// The op, compiled into this process for the CPU.
class OneOp {
public:
  OneOp(const std::string &op, const std::string &cpu) {
    Options options;
    options.cpu = cpu;
    std::string text = "model @m(%x: f32[1, 65536]) {\n  %y = " + op + " %x\n  return %y\n}\n";
    Result<Model> model = parse(text);
    EXPECT_TRUE(model) << model.error();
    Result<Program> program = jit(*model, options);
    EXPECT_TRUE(program) << program.error();
    if (program)
      program_ = std::move(*program);
  }
  std::vector<float> operator()(const std::vector<float> &x) const {
    std::vector<float> y(x.size());
    Result<void> ran = program_->run({x.data()}, {y.data()});
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
double largest_error(const OneOp &op, double (*exact)(double), const std::vector<float> &x) {
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
  OneOp op("exp", GetParam());
  for (const std::vector<float> &x :
       {all_exponents(), between(-104.5f, 89.5f), between(-87.34f, -87.33f),
        between(88.72f, 88.73f), between(-1, 1)})
    EXPECT_LT(largest_error(op, normal_exp, x), codegen::exp_error_in_ulps);
}

TEST_P(EmitMath, tanh_is_as_exact_as_promised) {
  OneOp op("tanh", GetParam());
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
  std::vector<float> e = OneOp("exp", GetParam())(x), t = OneOp("tanh", GetParam())(x);
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
}

std::string cpu_name(const testing::TestParamInfo<const char *> &row) {
  return row.index == 0 ? "native" : row.index == 1 ? "avx2" : "sse2";
}

INSTANTIATE_TEST_SUITE_P(Cpus, EmitMath, testing::Values("native", "x86-64-v3", "x86-64"),
                         cpu_name);

} // namespace
} // namespace cnnc
