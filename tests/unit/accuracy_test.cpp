// How far results are from sums in double: of long sums of products, of sums that begin with a large
// bias, of means and norms of many elements. Bounds are what single precision allows when sums are
// cut into parts; one register for all of a sum misses them by factors of 3 to 100,000.
#include "compiler/cnnc.h"

#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>
#include <random>

namespace cnnc {

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

Floats normal(size_t count, unsigned seed, double deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, static_cast<float>(deviation));
  Floats values(count);
  for (float &value : values)
    value = distribution(random);
  return values;
}

Floats positive(Floats values) {
  for (float &value : values)
    value = std::abs(value);
  return values;
}

/// What %y of a model is on some inputs, for the CPU that is tested.
class Accuracy : public testing::TestWithParam<const char *> {
protected:
  Floats run(const std::string &inputs, const std::string &body, size_t size,
             const std::vector<const Floats *> &data) {
    const std::string text = fmt::format("model @m({}) {{\n{}\nreturn %y\n}}\n", inputs, body);
    Options options;
    options.cpu = GetParam();
    Result<Model> model = parse(text);
    Result<Program> program = model ? jit(*model, options) : Result<Program>(Error{"no model"});
    EXPECT_TRUE(program) << model.error() << program.error() << text;
    Floats result(size);
    std::vector<const void *> pointers;
    for (const Floats *values : data)
      pointers.push_back(values->data());
    const std::vector<void *> outputs = {result.data()};
    if (program) {
      EXPECT_TRUE(program->run(pointers, outputs));
    }
    return result;
  }

  /// The root of the mean square error, relative to that of the values.
  static double rms(const Floats &got, const Doubles &wanted) {
    EXPECT_EQ(got.size(), wanted.size());
    double error = 0, size = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      error += (got[i] - wanted[i]) * (got[i] - wanted[i]);
      size += wanted[i] * wanted[i];
    }
    return std::sqrt(error / size);
  }

  /// The largest error, relative to the largest value.
  static double largest(const Floats &got, const Doubles &wanted) {
    EXPECT_EQ(got.size(), wanted.size());
    double error = 0, size = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      error = std::max(error, std::abs(got[i] - wanted[i]));
      size = std::max(size, std::abs(wanted[i]));
    }
    return error / size;
  }
};

/// Rows of a times columns of b, which lie as [k, columns], or with `transposed` as [columns, k].
Doubles product(const Floats &a, const Floats &b, size_t rows, size_t k, size_t columns,
                bool transposed) {
  Doubles result(rows * columns);
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j)
      for (size_t l = 0; l < k; ++l)
        result[i * columns + j] +=
            double(a[i * k + l]) * double(b[transposed ? j * k + l : l * columns + j]);
  return result;
}

TEST_P(Accuracy, ProductsOfMatrices) {
  constexpr size_t rows = 6, k = 4608, columns = 32;
  const Floats a = normal(rows * k, 1), b = normal(k * columns, 2);
  const Floats y =
      run("%a: f32[6, 4608], %b: f32[4608, 32]", "%y = matmul %a, %b", rows * columns, {&a, &b});
  EXPECT_LT(rms(y, product(a, b, rows, k, columns, false)), 3.5e-7);
}

TEST_P(Accuracy, DenseLayers) {
  constexpr size_t k = 25088, columns = 64;
  Floats x = normal(k, 1), w = normal(columns * k, 2, 0.01);
  const std::string inputs = "%x: f32[1, 25088], %w: f32[64, 25088]";
  EXPECT_LT(
      rms(run(inputs, "%y = dense %x, %w", columns, {&x, &w}), product(x, w, 1, k, columns, true)),
      5.5e-7);
  x = positive(x), w = positive(w);
  EXPECT_LT(
      rms(run(inputs, "%y = dense %x, %w", columns, {&x, &w}), product(x, w, 1, k, columns, true)),
      2.5e-7);
}

/// 16 channels of a convolution with padding 1 at [ic, h, w], and a bias.
Doubles convolution(const Floats &x, const Floats &w, const Floats &b, size_t channels,
                    size_t extent) {
  Doubles y;
  const auto size = static_cast<int64_t>(extent);
  for (size_t oc = 0; oc < b.size(); ++oc)
    for (int64_t at = 0; at < size * size; ++at) {
      double sum = b[oc];
      for (size_t ic = 0; ic < channels; ++ic)
        for (int64_t tap = 0; tap < 9; ++tap) {
          const int64_t row = at / size + tap / 3 - 1, column = at % size + tap % 3 - 1;
          if (row >= 0 && row < size && column >= 0 && column < size)
            sum += double(x[ic * extent * extent + static_cast<size_t>(row * size + column)]) *
                   double(w[(oc * channels + ic) * 9 + static_cast<size_t>(tap)]);
        }
      y.push_back(sum);
    }
  return y;
}

/// The error is that of the sum without its bias, although every result is as large as the bias.
TEST_P(Accuracy, ABiasRoundsOnce) {
  constexpr size_t channels = 64, extent = 8;
  const Floats x = normal(channels * extent * extent, 1);
  const Floats w = normal(16 * channels * 9, 2, std::sqrt(2.0 / (channels * 9)));
  for (float size : {0.0f, 5.0f}) {
    Floats b(16);
    for (size_t i = 0; i < b.size(); ++i)
      b[i] = i % 2 == 0 ? size : -size;
    const Floats y =
        run("%x: f32[1, 64, 8, 8], %w: f32[16, 64, 3, 3], %b: f32[16]",
            "%y = conv2d %x, %w, %b pad=[1, 1, 1, 1]", 16 * extent * extent, {&x, &w, &b});
    // Of the sums, whose size is about 1.4.
    const Doubles wanted = convolution(x, w, b, channels, extent);
    double error = 0;
    for (size_t i = 0; i < y.size(); ++i)
      error += (y[i] - wanted[i]) * (y[i] - wanted[i]);
    EXPECT_LT(std::sqrt(error / static_cast<double>(y.size())), 5e-7) << "bias " << size;
  }
}

TEST_P(Accuracy, SumsOfManyChannels) {
  constexpr size_t channels = 512, extent = 5;
  const Floats x = normal(channels * extent * extent, 1), b(16);
  const Floats w = normal(16 * channels * 9, 2, std::sqrt(2.0 / (channels * 9)));
  const Floats y = run("%x: f32[1, 512, 5, 5], %w: f32[16, 512, 3, 3]",
                       "%y = conv2d %x, %w pad=[1, 1, 1, 1]", 16 * extent * extent, {&x, &w});
  EXPECT_LT(rms(y, convolution(x, w, b, channels, extent)), 3.5e-7);
}

/// Elements that are all alike round in one direction.
TEST_P(Accuracy, MeansOfEqualElements) {
  const std::vector<std::pair<std::string, std::string>> means = {
      {"plane", "%y = global_avg_pool2d %x"},
      {"axes", "%y = reduce_mean %x axes=[2, 3]"},
      {"pool", "%p = max_pool2d %x kernel=[3, 3] stride=[1, 1] pad=[1, 1, 1, 1]\n"
               "%y = global_avg_pool2d %p"},
      {"window", "%y = avg_pool2d %x kernel=[H, W]"},
  };
  const std::vector<std::array<size_t, 3>> shapes = {
      {16, 224, 224}, {3, 301, 499}, {40, 67, 131}, {16, 7, 7}, {1, 1050, 1050}};
  for (const auto &[channels, height, width] : shapes)
    for (float value : {0.1f, 0.7f, 1.0f / 3})
      for (auto [name, body] : means) {
        if (const size_t place = body.find("[H, W]"); place != std::string::npos)
          body.replace(place, 6, fmt::format("[{}, {}]", height, width));
        const Floats x(channels * height * width, value);
        const Floats y = run(fmt::format("%x: f32[1, {}, {}, {}]", channels, height, width), body,
                             channels, {&x});
        const double most = name == "window" ? 5e-6 : 1e-6;
        EXPECT_LT(largest(y, Doubles(channels, value)), most)
            << name << " of " << channels << " x " << height << " x " << width;
      }
  const Floats ones(4200 * 4200, 1);
  EXPECT_EQ(run("%x: f32[1, 1, 4200, 4200]", "%y = global_avg_pool2d %x", 1, {&ones}), Floats{1});
}

TEST_P(Accuracy, SumsOfAMillion) {
  const Floats x = positive(normal(1 << 20, 1));
  double sum = 0;
  for (float value : x)
    sum += value;
  for (const char *shape : {"1, 1048576", "1048576, 1", "1024, 1024", "16, 64, 1024"}) {
    const std::string type = fmt::format("%x: f32[{}]", shape);
    const bool three = std::string(shape) == "16, 64, 1024";
    const Floats y = run(
        type, fmt::format("%y = reduce_sum %x axes={}", three ? "[0, 1, 2]" : "[0, 1]"), 1, {&x});
    EXPECT_LT(largest(y, {sum}), 2e-7) << shape;
  }
}

/// An infinity stays what it is in a sum of parts, and two of opposite signs are no number.
TEST_P(Accuracy, InfiniteSums) {
  Floats x(300, 1);
  x[17] = INFINITY;
  EXPECT_EQ(run("%x: f32[1, 300]", "%y = reduce_sum %x axes=[1]", 1, {&x}), Floats{INFINITY});
  x[250] = -INFINITY;
  EXPECT_TRUE(std::isnan(run("%x: f32[1, 300]", "%y = reduce_sum %x axes=[1]", 1, {&x})[0]));
}

/// (x - mean) / deviation over lines of `size` neighbouring elements.
Doubles standardized(const Floats &x, size_t size) {
  Doubles y;
  for (size_t first = 0; first < x.size(); first += size) {
    double sum = 0, squares = 0;
    for (size_t i = first; i < first + size; ++i)
      sum += x[i];
    const double mean = sum / static_cast<double>(size);
    for (size_t i = first; i < first + size; ++i)
      squares += (x[i] - mean) * (x[i] - mean);
    for (size_t i = first; i < first + size; ++i)
      y.push_back((x[i] - mean) / std::sqrt(squares / static_cast<double>(size) + 1e-5));
  }
  return y;
}

/// Elements far from 0, whose mean cannot be told by a number of single precision well enough.
TEST_P(Accuracy, NormsFarFromZero) {
  Floats x = normal(32 * 56 * 56, 1);
  for (float &value : x)
    value += 100;
  const std::string planes = "%x: f32[1, 32, 56, 56]";
  EXPECT_LT(rms(run(planes,
                    "%s = splat 1 : f32[32]\n%b = splat 0 : f32[32]\n"
                    "%y = instance_norm %x, %s, %b",
                    x.size(), {&x}),
                standardized(x, 56 * 56)),
            2e-7);
  EXPECT_LT(rms(run(planes, "%y = group_norm %x groups=2", x.size(), {&x}),
                standardized(x, 16 * 56 * 56)),
            2e-7);
  EXPECT_LT(
      rms(run("%x: f32[32, 3136]", "%y = layer_norm %x", x.size(), {&x}), standardized(x, 56 * 56)),
      2e-7);
}

TEST_P(Accuracy, SoftmaxOfManyElements) {
  constexpr size_t size = 50000;
  const Floats x = normal(size, 1);
  double sum = 0;
  for (float value : x)
    sum += std::exp(double(value));
  Doubles wanted;
  for (float value : x)
    wanted.push_back(std::exp(double(value)) / sum);
  EXPECT_LT(rms(run("%x: f32[1, 50000]", "%y = softmax %x", size, {&x}), wanted), 2e-7);
  EXPECT_LT(rms(run("%x: f32[50000, 1]", "%y = softmax %x axis=0", size, {&x}), wanted), 2e-7);
}

INSTANTIATE_TEST_SUITE_P(Cpus, Accuracy, testing::Values("native", "x86-64-v3"));

} // namespace

} // namespace cnnc
