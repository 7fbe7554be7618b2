// The reference interpreter against numbers worked out by hand or by a formula of their own.
#include "tests/unit/test_models.h"

#include <cmath>
#include <limits>

namespace cnnc {
namespace {

using Floats = std::vector<float>;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

void expect_near(const Floats &actual, const Floats &expected, float tolerance = 1e-6f) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
}

TEST(Reference, Conv2dSlidesTheFilterUnflipped) {
  Tensor filter = tensor_of({1, 1, 2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run_op({counting({1, 1, 3, 3}), filter}, "%y = conv2d %x0, %x1"),
            (Floats{0 + 2 + 9 + 16, 1 + 4 + 12 + 20, 3 + 8 + 18 + 28, 4 + 10 + 21 + 32}));
}

TEST(Reference, Conv2dAddsBiasPerOutputChannel) {
  Tensor filter = tensor_of({2, 2, 1, 1}, {1, 10, 2, 20});
  Tensor bias = tensor_of({2}, {100, 200});
  EXPECT_EQ(run_op({counting({1, 2, 1, 2}), filter, bias}, "%y = conv2d %x0, %x1, %x2"),
            (Floats{100 + 0 + 20, 100 + 1 + 30, 200 + 0 + 40, 200 + 2 + 60}));
}

TEST(Reference, Conv2dPadsEachSideByItself) {
  Tensor filter = tensor_of({1, 1, 2, 2}, {1, 2, 3, 4});
  // top 1, right 2: rows 0 0 0 0 / 1 2 0 0 / 3 4 0 0
  Floats padded = {3 * 1 + 4 * 2,          3 * 2,        0, //
                   1 + 2 * 2 + 3 * 3 + 16, 2 + 3 * 4.0f, 0};
  EXPECT_EQ(run_op({tensor_of({1, 1, 2, 2}, {1, 2, 3, 4}), filter},
                   "%y = conv2d %x0, %x1 pad=[1, 0, 0, 2]"),
            padded);
}

TEST(Reference, Conv2dStridesAndDilates) {
  Tensor filter = tensor_of({1, 1, 2, 2}, {1, 10, 100, 1000});
  // 5x5 counting input; window rows y, y + 2, columns x, x + 1; steps of 2 and 3
  auto at = [](int y, int x) { return static_cast<float>(5 * y + x); };
  auto window = [&](int y, int x) {
    return at(y, x) + 10 * at(y, x + 1) + 100 * at(y + 2, x) + 1000 * at(y + 2, x + 1);
  };
  EXPECT_EQ(run_op({counting({1, 1, 5, 5}), filter},
                   "%y = conv2d %x0, %x1 stride=[2, 3] dilation=[2, 1]"),
            (Floats{window(0, 0), window(0, 3), window(2, 0), window(2, 3)}));
}

TEST(Reference, Conv2dGroupsSeeOnlyTheirChannels) {
  Tensor filter = tensor_of({4, 1, 1, 1}, {1, 2, 3, 4}); // two outputs for each of two inputs
  EXPECT_EQ(run_op({counting({2, 2, 1, 1}), filter}, "%y = conv2d %x0, %x1 groups=2"),
            (Floats{0, 0, 3, 4, 2, 4, 9, 12}));
}

TEST(Reference, Local2dHasAFilterPerPosition) {
  // filter [oh=1, ow=2, oc=2, ic=1, kh=1, kw=2], bias [oc=2, oh=1, ow=2]
  Tensor filter = tensor_of({1, 2, 2, 1, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  Tensor bias = tensor_of({2, 1, 2}, {100, 200, 300, 400});
  Tensor input = tensor_of({1, 1, 1, 3}, {1, 10, 100});
  EXPECT_EQ(run_op({input, filter, bias}, "%y = local2d %x0, %x1, %x2"),
            (Floats{100 + 21, 200 + 650, 300 + 43, 400 + 870}));
}

TEST(Reference, Local2dWithEqualFiltersIsConv2d) {
  Tensor input = counting({2, 3, 5, 4}), filter = counting({2, 3, 3, 2});
  Floats local;
  for (int position = 0; position < 3 * 2; ++position)
    for (float weight : filter.floats())
      local.push_back(weight);
  std::string attributes = " stride=[2, 2] pad=[1, 2, 2, 0] dilation=[1, 2]";
  Tensor local_filter = tensor_of({3, 2, 2, 3, 3, 2}, local);
  EXPECT_EQ(run_op({input, local_filter}, "%y = local2d %x0, %x1" + attributes),
            run_op({input, filter}, "%y = conv2d %x0, %x1" + attributes));
}

TEST(Reference, DenseMultipliesRowsOfTheWeight) {
  EXPECT_EQ(run_op({counting({2, 3}), counting({2, 3}), tensor_of({2}, {100, 200})},
                   "%y = dense %x0, %x1, %x2"),
            (Floats{105, 214, 114, 250}));
}

TEST(Reference, MaxPoolIgnoresPadding) {
  Tensor negative = tensor_of({1, 1, 2, 2}, {-1, -2, -3, -4});
  EXPECT_EQ(run_op({negative}, "%y = max_pool2d %x0 kernel=[2, 2] stride=[2, 2] pad=[1, 1, 1, 1]"),
            (Floats{-1, -2, -3, -4}));
  EXPECT_EQ(run_op({counting({1, 1, 1, 5})}, "%y = max_pool2d %x0 kernel=[1, 2] dilation=[1, 3]"),
            (Floats{3, 4}));
}

TEST(Reference, MaxPoolWithCeilModeHasWindowsThatStickOut) {
  EXPECT_EQ(run_op({counting({1, 1, 1, 4})}, "%y = max_pool2d %x0 kernel=[1, 3] stride=[1, 2]"),
            (Floats{2}));
  EXPECT_EQ(run_op({counting({1, 1, 1, 4})},
                   "%y = max_pool2d %x0 kernel=[1, 3] stride=[1, 2] ceil_mode=true"),
            (Floats{2, 3}));
}

TEST(Reference, MaxPoolPassesOverNaN) {
  Floats result = run_op({tensor_of({1, 1, 1, 4}, {1, nan, 2, 3})},
                         "%y = max_pool2d %x0 kernel=[1, 2] stride=[1, 1]");
  EXPECT_EQ(result, (Floats{1, 2, 3}));
}

TEST(Reference, AvgPoolDividesByWhatItCounts) {
  Tensor row = tensor_of({1, 1, 1, 4}, {1, 2, 4, 8});
  std::string pool = "%y = avg_pool2d %x0 kernel=[1, 3] stride=[1, 2] pad=[0, 1, 0, 0]";
  EXPECT_EQ(run_op({row}, pool), (Floats{1.5f, 14 / 3.0f}));
  EXPECT_EQ(run_op({row}, pool + " count_padding=true"), (Floats{1, 14 / 3.0f}));
}

TEST(Reference, AvgPoolWithCeilModeDoesNotCountBeyondThePadding) {
  Tensor row = tensor_of({1, 1, 1, 4}, {1, 2, 4, 8});
  std::string pool = "%y = avg_pool2d %x0 kernel=[1, 3] stride=[1, 3] pad=[0, 0, 0, 1] "
                     "ceil_mode=true"; // second window: 8, padding, beyond
  EXPECT_EQ(run_op({row}, pool), (Floats{7 / 3.0f, 8}));
  EXPECT_EQ(run_op({row}, pool + " count_padding=true"), (Floats{7 / 3.0f, 4}));
}

TEST(Reference, GlobalAvgPool) {
  Tensor result = run_ops({counting({1, 2, 2, 2})}, "%y = global_avg_pool2d %x0").front();
  EXPECT_EQ(result.shape(), (std::vector<int64_t>{1, 2, 1, 1}));
  EXPECT_EQ(values_of(result), (Floats{1.5f, 5.5f}));
}

TEST(Reference, PiecewiseLinearUnaryOps) {
  Tensor x = tensor_of({5}, {-4, -1, 0, 1, 4});
  EXPECT_EQ(run_op({x}, "%y = relu %x0"), (Floats{0, 0, 0, 1, 4}));
  EXPECT_EQ(run_op({x}, "%y = leaky_relu %x0 alpha=0.25"), (Floats{-1, -0.25f, 0, 1, 4}));
  EXPECT_EQ(run_op({x}, "%y = clip %x0 min=-2 max=1.5"), (Floats{-2, -1, 0, 1, 1.5f}));
  EXPECT_EQ(run_op({x}, "%y = hard_sigmoid %x0 alpha=0.25 beta=0.5"),
            (Floats{0, 0.25f, 0.5f, 0.75f, 1}));
  expect_near(run_op({x}, "%y = hard_swish %x0"), {0, -1 / 3.0f, 0, 2 / 3.0f, 4});
  EXPECT_EQ(run_op({x}, "%y = dropout %x0 ratio=0.9"), values_of(x));
}

TEST(Reference, SmoothUnaryOps) {
  Tensor x = tensor_of({3}, {0, std::log(3.0f), -std::log(3.0f)});
  expect_near(run_op({x}, "%y = exp %x0"), {1, 3, 1 / 3.0f});
  expect_near(run_op({x}, "%y = sigmoid %x0"), {0.5f, 0.75f, 0.25f});
  expect_near(run_op({x}, "%y = tanh %x0"), {0, 0.8f, -0.8f}); // (9 - 1) / (9 + 1)
  expect_near(run_op({x}, "%y = silu %x0"), {0, 0.75f * std::log(3.0f), -0.25f * std::log(3.0f)});
  expect_near(run_op({x}, "%y = elu %x0 alpha=2"), {0, std::log(3.0f), -4 / 3.0f});
  EXPECT_EQ(run_op({tensor_of({3}, {0, 4, 2.25f})}, "%y = sqrt %x0"), (Floats{0, 2, 1.5f}));
}

TEST(Reference, UnaryOpsFarFromZero) {
  Tensor x = tensor_of({2}, {-1000, 1000});
  EXPECT_EQ(run_op({x}, "%y = sigmoid %x0"), (Floats{0, 1}));
  EXPECT_EQ(run_op({x}, "%y = silu %x0"), (Floats{0, 1000}));
  EXPECT_EQ(run_op({x}, "%y = elu %x0"), (Floats{-1, 1000}));
  EXPECT_EQ(run_op({x}, "%y = exp %x0"), (Floats{0, infinity}));
}

TEST(Reference, NaNGoesThrough) {
  for (const char *op : {"relu", "leaky_relu", "sigmoid", "tanh", "clip", "hard_sigmoid",
                         "hard_swish", "silu", "elu", "exp", "sqrt", "dropout"})
    EXPECT_TRUE(std::isnan(run_op({tensor_of({1}, {nan})}, fmt::format("%y = {} %x0", op))[0]))
        << op;
  for (const char *op : {"add", "sub", "mul", "div", "min", "max"})
    for (bool first : {true, false}) {
      Tensor a = tensor_of({1}, {first ? nan : 1}), b = tensor_of({1}, {first ? 1 : nan});
      EXPECT_TRUE(std::isnan(run_op({a, b}, fmt::format("%y = {} %x0, %x1", op))[0])) << op;
    }
}

TEST(Reference, BinaryOps) {
  Tensor a = tensor_of({4}, {-6, 2, 5, -0.5f}), b = tensor_of({4}, {3, 4, -2, 8});
  auto run = [&](std::string op) { return run_op({a, b}, "%y = " + op + " %x0, %x1"); };
  EXPECT_EQ(run("add"), (Floats{-3, 6, 3, 7.5f}));
  EXPECT_EQ(run("sub"), (Floats{-9, -2, 7, -8.5f}));
  EXPECT_EQ(run("mul"), (Floats{-18, 8, -10, -4}));
  EXPECT_EQ(run("div"), (Floats{-2, 0.5f, -2.5f, -0.0625f}));
  EXPECT_EQ(run("min"), (Floats{-6, 2, -2, -0.5f}));
  EXPECT_EQ(run("max"), (Floats{3, 4, 5, 8}));
  EXPECT_EQ(run("prelu"), (Floats{-18, 2, 5, -4}));
}

TEST(Reference, BinaryOpsBroadcast) {
  Tensor column = tensor_of({2, 1}, {10, 20}), row = tensor_of({3}, {1, 2, 3});
  EXPECT_EQ(run_op({column, row}, "%y = add %x0, %x1"), (Floats{11, 12, 13, 21, 22, 23}));
  EXPECT_EQ(run_op({row, column}, "%y = sub %x0, %x1"), (Floats{-9, -8, -7, -19, -18, -17}));
  Tensor slopes = tensor_of({2, 1, 1}, {2, 3});
  EXPECT_EQ(run_op({tensor_of({1, 2, 1, 2}, {-1, 1, -1, 1}), slopes}, "%y = prelu %x0, %x1"),
            (Floats{-2, 1, -3, 1}));
}

TEST(Reference, BatchNormPerChannel) {
  std::vector<Tensor> inputs = {counting({1, 2, 1, 2}), tensor_of({2}, {2, 3}),
                                tensor_of({2}, {10, 20}), tensor_of({2}, {1, 0}),
                                tensor_of({2}, {3, 8})};
  expect_near(run_op(inputs, "%y = batch_norm %x0, %x1, %x2, %x3, %x4 epsilon=1"),
              {2 * (0 - 1) / 2.0f + 10, 2 * (1 - 1) / 2.0f + 10, 3 * 2 / 3.0f + 20, 23});
}

TEST(Reference, SoftmaxAlongAnyAxis) {
  float log2 = std::log(2.0f), log3 = std::log(3.0f);
  Tensor x = tensor_of({2, 2}, {0, log3, log2, 500});
  expect_near(run_op({x}, "%y = softmax %x0"), {0.25f, 0.75f, 0, 1});
  expect_near(run_op({tensor_of({2, 2}, {0, log3, log2, log3 + log3})}, "%y = softmax %x0 axis=0"),
              {1 / 3.0f, 0.25f, 2 / 3.0f, 0.75f});
  expect_near(run_op({tensor_of({1, 2, 2}, {0, 900, log3, 900})}, "%y = softmax %x0 axis=1"),
              {0.25f, 0.5f, 0.75f, 0.5f});
}

TEST(Reference, ReduceMean) {
  EXPECT_EQ(run_op({counting({2, 3})}, "%y = reduce_mean %x0 axes=[0]"),
            (Floats{1.5f, 2.5f, 3.5f}));
  EXPECT_EQ(run_op({counting({2, 3})}, "%y = reduce_mean %x0 axes=[-1]"), (Floats{1, 4}));
  Tensor both =
      run_ops({counting({2, 3, 2})}, "%y = reduce_mean %x0 axes=[0, 2] keep_dims=false")[0];
  EXPECT_EQ(both.shape(), std::vector<int64_t>{3});
  EXPECT_EQ(values_of(both), (Floats{3.5f, 5.5f, 7.5f}));
}

TEST(Reference, ConcatAndSplitAreInverse) {
  Tensor a = counting({2, 1, 2}), b = tensor_of({2, 2, 2}, {10, 11, 12, 13, 14, 15, 16, 17});
  EXPECT_EQ(run_op({a, b}, "%y = concat %x0, %x1 axis=1"),
            (Floats{0, 1, 10, 11, 12, 13, 2, 3, 14, 15, 16, 17}));
  std::vector<Tensor> parts = run_ops(
      {a, b}, "%c = concat %x0, %x1 axis=-2\n%p, %q = split %c axis=1 sizes=[1, 2]", "%p, %q");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(values_of(parts[0]), values_of(a));
  EXPECT_EQ(values_of(parts[1]), values_of(b));
}

TEST(Reference, SliceAsInNumPy) {
  Tensor x = counting({6});
  auto slice = [&](std::string attributes) { return run_op({x}, "%y = slice %x0 " + attributes); };
  EXPECT_EQ(slice("starts=[1] ends=[4]"), (Floats{1, 2, 3}));
  EXPECT_EQ(slice("starts=[-3] ends=[100]"), (Floats{3, 4, 5}));
  EXPECT_EQ(slice("starts=[0] ends=[6] steps=[4]"), (Floats{0, 4}));
  EXPECT_EQ(slice("starts=[-1] ends=[-100] steps=[-2]"), (Floats{5, 3, 1}));
  EXPECT_EQ(run_op({counting({2, 3})}, "%y = slice %x0 starts=[2] ends=[0] axes=[1] steps=[-1]"),
            (Floats{2, 1, 5, 4}));
}

TEST(Reference, PadModes) {
  Tensor x = tensor_of({1, 3}, {1, 2, 3});
  EXPECT_EQ(run_op({x}, "%y = pad %x0 before=[1, 2] after=[0, 1] value=9"),
            (Floats{9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 9}));
  EXPECT_EQ(run_op({x}, "%y = pad %x0 before=[0, 2] after=[0, 2] mode=reflect"),
            (Floats{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(run_op({x}, "%y = pad %x0 before=[1, 2] after=[0, 1] mode=edge"),
            (Floats{1, 1, 1, 2, 3, 3, 1, 1, 1, 2, 3, 3}));
}

TEST(Reference, PadWrapsAround) {
  EXPECT_EQ(
      run_op({tensor_of({1, 3}, {1, 2, 3})}, "%y = pad %x0 before=[1, 4] after=[0, 2] mode=wrap"),
      (Floats{3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2}));
}

TEST(Reference, ConvTranspose2dScattersTheFilter) {
  Tensor x = tensor_of({1, 2, 1, 2}, {1, 2, 3, 4});
  Tensor w = tensor_of({2, 1, 1, 3}, {1, 10, 100, 5, 6, 7});
  EXPECT_EQ(run_op({x, w}, "%y = conv_transpose2d %x0, %x1"),
            (Floats{1 + 15, 10 + 2 + 18 + 20, 100 + 20 + 21 + 24, 200 + 28}));
  EXPECT_EQ(run_op({x, w}, "%y = conv_transpose2d %x0, %x1 groups=2 stride=[1, 2] "
                           "dilation=[1, 2] pad=[0, 1, 0, 2] output_padding=[0, 1]"),
            (Floats{0, 10 + 2, 0, 100 + 20, 0, 0, 18 + 20, 0, 21 + 24, 0}));
}

TEST(Reference, MaxPoolIndicesAndBack) {
  Tensor x = tensor_of({1, 2, 1, 4}, {1, 3, 3, 2, 5, 4, 6, 7});
  std::vector<Tensor> pooled = run_ops({x},
                                       "%p, %at = max_pool2d_indices %x0 kernel=[1, 2] "
                                       "stride=[1, 2] pad=[0, 1, 0, 1]\n"
                                       "%y = max_unpool2d %p, %at shape=[1, 2, 1, 4]",
                                       "%p, %at, %y");
  ASSERT_EQ(pooled.size(), 3u);
  EXPECT_EQ(values_of(pooled[0]), (Floats{1, 3, 2, 5, 6, 7}));
  std::span<const int64_t> at = pooled[1].elements<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(at.begin(), at.end()), (std::vector<int64_t>{0, 1, 3, 4, 6, 7}));
  EXPECT_EQ(values_of(pooled[2]), (Floats{1, 3, 0, 2, 5, 0, 6, 7}));
}

TEST(Reference, DepthAndSpace) {
  EXPECT_EQ(
      run_op({counting({1, 6, 1, 1})}, "%y = depth_to_space %x0 block=[3, 1] crop=[1, 0, 0, 0]"),
      (Floats{2, 4, 3, 5}));
  EXPECT_EQ(run_op({counting({1, 1, 2, 3})}, "%y = space_to_depth %x0 block=[1, 3]"),
            (Floats{0, 3, 1, 4, 2, 5}));
  Tensor x = counting({1, 8, 1, 1});
  EXPECT_EQ(run_op({x}, "%y = depth_to_space %x0 block=[2, 2]"), (Floats{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(run_op({x}, "%y = depth_to_space %x0 block=[2, 2] mode=crd"), values_of(x));
  EXPECT_EQ(
      run_op({x}, "%d = depth_to_space %x0 block=[2, 2]\n%y = space_to_depth %d block=[2, 2]"),
      values_of(x));
}

TEST(Reference, ReshapeFlattenTranspose) {
  Tensor x = counting({2, 3, 2});
  Tensor reshaped = run_ops({x}, "%y = reshape %x0 shape=[0, -1]").front();
  EXPECT_EQ(reshaped.shape(), (std::vector<int64_t>{2, 6}));
  EXPECT_EQ(values_of(reshaped), values_of(x));
  EXPECT_EQ(run_ops({x}, "%y = flatten %x0 axis=2").front().shape(), (std::vector<int64_t>{6, 2}));
  Tensor transposed = run_ops({x}, "%y = transpose %x0 permutation=[2, 0, 1]").front();
  EXPECT_EQ(transposed.shape(), (std::vector<int64_t>{2, 2, 3}));
  EXPECT_EQ(values_of(transposed), (Floats{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
}

TEST(Reference, RelayoutChangesNoElement) {
  EXPECT_EQ(run_op({counting({1, 3, 2, 2})},
                   "%y = relayout %x0 : f32[1, 3, 2, 2] nchw8c halo=[1, 1, 1, 1]"),
            values_of(counting({1, 3, 2, 2})));
}

TEST(Reference, ElementsOfOtherTypesMove) {
  Tensor x(TensorType{DType::i64, {2, 2}});
  std::span<int64_t> elements = x.mutable_elements<int64_t>();
  std::iota(elements.begin(), elements.end(), int64_t(1) << 40);
  Tensor y = run_ops({x}, "%t = transpose %x0 permutation=[1, 0]\n"
                          "%p = pad %t before=[0, 0] after=[0, 1] value=-7\n"
                          "%y = slice %p starts=[1] ends=[2]")
                 .front();
  ASSERT_EQ(y.type().dtype, DType::i64);
  std::span<const int64_t> result = y.elements<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(result.begin(), result.end()),
            (std::vector<int64_t>{(int64_t(1) << 40) + 1, (int64_t(1) << 40) + 3, -7}));
}

TEST(Reference, CastsSaturate) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  auto back = [&](const char *type) {
    return run_op({tensor_of({5}, {none, -3e10f, 3e10f, -1.5f, 300})},
                  fmt::format("%t = cast %x0 to={}\n%y = cast %t to=f32", type));
  };
  EXPECT_EQ(back("i32"), (Floats{0, -0x1p31f, 0x1p31f, -1, 300}));
  EXPECT_EQ(back("u8"), (Floats{0, 0, 255, 0, 255}));
  EXPECT_EQ(back("bool"), (Floats{1, 1, 1, 1, 1}));
}

TEST(Reference, PositionsOfEqualElements) {
  auto position = [](const char *op) {
    return run_op({tensor_of({5}, {1, 3, 1, 3, 2})},
                  fmt::format("%t = {} axis=0\n%y = cast %t to=f32", op));
  };
  EXPECT_EQ(position("arg_max %x0"), Floats{1});
  EXPECT_EQ(position("arg_max %x0 select_last=true"), Floats{3});
  EXPECT_EQ(position("arg_min %x0"), Floats{0});
  EXPECT_EQ(position("arg_min %x0 select_last=true"), Floats{2});
}

TEST(Reference, SourcesFillTheirType) {
  EXPECT_EQ(run_op({counting({3})}, "%s = splat 0.5 : f32[3]\n%y = add %x0, %s"),
            (Floats{0.5f, 1.5f, 2.5f}));
  EXPECT_EQ(run_op({counting({3})}, "%l = literal [4, 5.5, -6] : f32[3]\n%y = add %x0, %l"),
            (Floats{4, 6.5f, -4}));
}

TEST(Reference, RandomIsReproducibleAndOfItsDistribution) {
  auto random = [](std::string arguments) {
    std::string body = "%r = random(" + arguments + ") : f32[50, 20, 10]\n%y = add %x0, %r";
    return run_op({Tensor(TensorType{DType::f32, {1}})}, body);
  };
  Floats he = random("7, he"), uniform = random("7, uniform");
  EXPECT_EQ(he, random("7, he"));
  EXPECT_EQ(uniform, random("7, uniform"));
  EXPECT_NE(he, random("8, he"));
  EXPECT_NE(uniform, random("8, uniform"));
  auto mean_of_squares = [](const Floats &values, float mean) {
    double sum = 0;
    for (float value : values)
      sum += (value - mean) * (value - mean);
    return sum / static_cast<double>(values.size());
  };
  EXPECT_NEAR(mean_of_squares(he, 0), 2.0 / 200, 0.0005); // fan-in 20 * 10
  EXPECT_NEAR(mean_of_squares(uniform, 1), 1 / 12.0, 0.004);
  EXPECT_GE(*std::min_element(uniform.begin(), uniform.end()), 0.5f);
  EXPECT_LT(*std::max_element(uniform.begin(), uniform.end()), 1.5f);
}

} // namespace
} // namespace cnnc
