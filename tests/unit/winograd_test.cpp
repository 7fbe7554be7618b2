// The matrices of Winograd's method, and the error of the compiled convolutions against sums in
// double.
#include "compiler/cnnc.h"
#include "compiler/schedule/winograd.h"
#include "compiler/tensor/winograd.h"
#include "tests/unit/test_models.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

namespace cnnc {

namespace {

class WinogradTile : public testing::TestWithParam<int64_t> {};

std::vector<double> multiply(const Matrix &matrix, const std::vector<double> &x) {
  std::vector<double> y;
  for (const std::vector<double> &row : matrix) {
    double sum = 0;
    for (size_t k = 0; k < row.size(); ++k)
      sum += row[k] * x[k];
    y.push_back(sum);
  }
  return y;
}

TEST_P(WinogradTile, ComputesTheCorrelationOfOneDimension) {
  const WinogradMatrices matrices = winograd_matrices(GetParam());
  const auto m = static_cast<size_t>(GetParam());
  std::minstd_rand random(1);
  std::uniform_int_distribution<int> digit(-9, 9);
  std::vector<double> filter(3), input(m + 2);
  for (std::vector<double> *values : {&filter, &input})
    for (double &value : *values)
      value = digit(random);
  std::vector<double> a = multiply(matrices.filter, filter), b = multiply(matrices.input, input);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] *= b[i];
  const std::vector<double> result = multiply(matrices.output, a);
  ASSERT_EQ(result.size(), m);
  for (size_t i = 0; i < m; ++i)
    EXPECT_NEAR(result[i],
                filter[0] * input[i] + filter[1] * input[i + 1] + filter[2] * input[i + 2], 1e-11);
}

TEST_P(WinogradTile, InputAndOutputMatricesAreExactInFloat) {
  const WinogradMatrices matrices = winograd_matrices(GetParam());
  for (const Matrix *matrix : {&matrices.input, &matrices.output})
    for (const std::vector<double> &row : *matrix)
      for (double value : row)
        EXPECT_EQ(static_cast<double>(static_cast<float>(value)), value);
}

TEST_P(WinogradTile, TransformsEveryFilter) {
  const Matrix g = winograd_matrices(GetParam()).filter;
  TensorType type;
  type.shape = {2, 3, 3, 3};
  Tensor filter(type);
  for (size_t i = 0; i < filter.floats().size(); ++i)
    filter.mutable_floats()[i] = static_cast<float>(i * i % 17) - 8;
  const Tensor transformed = winograd_filter(filter, GetParam());
  const size_t size = g.size();
  ASSERT_EQ(transformed.shape(), (std::vector<int64_t>{2, 3, GetParam() + 2, GetParam() + 2}));
  for (size_t pair = 0; pair < 6; ++pair)
    for (size_t i = 0; i < size; ++i)
      for (size_t j = 0; j < size; ++j) {
        double wanted = 0;
        for (size_t k = 0; k < 3; ++k)
          for (size_t l = 0; l < 3; ++l)
            wanted += g[i][k] * filter.floats()[pair * 9 + k * 3 + l] * g[j][l];
        EXPECT_NEAR(transformed.floats()[(pair * size + i) * size + j], wanted, 1e-5);
      }
}

/// 16 output channels of a square map with padding 1.
constexpr int64_t outputs = 16;
struct Layer {
  int64_t channels, extent;
};

/// The convolution in double.
std::vector<double> convolve(const Layer &layer, const std::vector<float> &x,
                             const std::vector<float> &w) {
  const auto &[channels, extent] = layer;
  std::vector<double> y(static_cast<size_t>(outputs * extent * extent));
  for (int64_t oc = 0; oc < outputs; ++oc)
    for (int64_t h = 0; h < extent; ++h)
      for (int64_t c = 0; c < extent; ++c)
        for (int64_t ic = 0; ic < channels; ++ic)
          for (int64_t k = 0; k < 9; ++k) {
            const int64_t row = h + k / 3 - 1, column = c + k % 3 - 1;
            if (row >= 0 && row < extent && column >= 0 && column < extent)
              y[static_cast<size_t>((oc * extent + h) * extent + c)] +=
                  double(x[static_cast<size_t>((ic * extent + row) * extent + column)]) *
                  double(w[static_cast<size_t>((oc * channels + ic) * 9 + k)]);
          }
  return y;
}

std::vector<float> normal(size_t count, double deviation, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, static_cast<float>(deviation));
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(random);
  return values;
}

/// A model with this filter, which the compiler transforms.
std::string model_with(int64_t m, const Layer &layer, const std::vector<float> &filter) {
  std::string text = fmt::format("model @c(%x: f32[1, {0}, {1}, {1}]) {{\n  %w = literal [",
                                 layer.channels, layer.extent);
  for (size_t i = 0; i < filter.size(); ++i)
    text += fmt::format("{}{:.9g}", i == 0 ? "" : ", ", filter[i]);
  return text + fmt::format("] : f32[{}, {}, 3, 3]\n"
                            "  %y = conv2d %x, %w pad=[1, 1, 1, 1] winograd={}\n"
                            "  return %y\n}}\n",
                            outputs, layer.channels, m);
}

/// A model that transforms the filter that it is given.
std::string model_with_input(int64_t m, const Layer &layer) {
  return fmt::format("model @c(%x: f32[1, {0}, {1}, {1}], %w: f32[{2}, {0}, 3, 3]) {{\n"
                     "  %y = conv2d %x, %w pad=[1, 1, 1, 1] winograd={3}\n"
                     "  return %y\n}}\n",
                     layer.channels, layer.extent, outputs, m);
}

/// On data as networks have it, filters as He initialises them and inputs behind a relu, with the
/// channels and sizes of well-known networks.
TEST_P(WinogradTile, IsOffByNoMoreThanItsEstimate) {
  for (const Layer &layer :
       {Layer{16, 55}, {64, 56}, {128, 28}, {256, 14}, {384, 13}, {512, 14}, {512, 7}, {1024, 7}}) {
    std::vector<float> x = normal(static_cast<size_t>(layer.channels * layer.extent * layer.extent),
                                  1, static_cast<unsigned>(layer.channels + layer.extent));
    for (float &value : x)
      value = std::max(0.0f, value);
    const double deviation = std::sqrt(2.0 / (static_cast<double>(layer.channels) * 9));
    const std::vector<float> w =
        normal(static_cast<size_t>(outputs * layer.channels * 9), deviation, 2);
    const std::vector<double> wanted = convolve(layer, x, w);
    for (const bool known : {true, false}) {
      Result<Model> model =
          parse(known ? model_with(GetParam(), layer, w) : model_with_input(GetParam(), layer));
      ASSERT_TRUE(model) << model.error();
      Result<Program> program = jit(*model);
      ASSERT_TRUE(program) << program.error();
      std::vector<float> y(wanted.size());
      ASSERT_TRUE(known ? program->run({x.data()}, {y.data()})
                        : program->run({x.data(), w.data()}, {y.data()}));
      double error = 0, largest = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        error = std::max(error, std::abs(y[i] - wanted[i]));
        largest = std::max(largest, std::abs(wanted[i]));
      }
      const double estimate = winograd_error(GetParam(), layer.channels);
      SCOPED_TRACE(fmt::format("{} channels at {}, filter {}", layer.channels, layer.extent,
                               known ? "known" : "given"));
      EXPECT_LT(error / largest, estimate);
      EXPECT_GT(error / largest, estimate / 5);
    }
  }
}

/// What --help promises of tiles that are chosen, whatever they are.
TEST(Winograd, PromisesAnErrorBelowOneInAHundredThousandForTheTilesOfNetworks) {
  for (int64_t channels : {16, 64, 128, 256, 384, 512, 1024})
    for (int64_t m : {2, 3, 4})
      EXPECT_LT(winograd_error(m, channels), 1e-5) << m << " with " << channels;
}

INSTANTIATE_TEST_SUITE_P(All, WinogradTile, testing::Range<int64_t>(2, 7));

} // namespace

} // namespace cnnc
