// The comparisons of --verify and --compare: what they find, and what they let pass.
#include "compiler/api/judge.h"
#include "tests/unit/test_models.h"

#include <cmath>
#include <limits>

namespace cnnc {

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

bool wrong(const std::vector<float> &got, const std::vector<float> &wanted,
           double tolerance = 1e-4) {
  const auto size = static_cast<int64_t>(wanted.size());
  return compare("k", "v", tensor_of({size}, got), tensor_of({size}, wanted), tolerance).wrong;
}

TEST(Judge, FindsWhatIsNoNumberOnOneSide) {
  EXPECT_FALSE(wrong({1, nan}, {1, nan}));
  EXPECT_TRUE(wrong({1, nan}, {1, 2}));
  EXPECT_TRUE(wrong({1, 2}, {1, nan}));
}

TEST(Judge, FindsAnotherInfinity) {
  EXPECT_FALSE(wrong({inf, -inf, 1}, {inf, -inf, 1}));
  EXPECT_TRUE(wrong({inf, inf, 1}, {inf, -inf, 1}));
  EXPECT_TRUE(wrong({3e38f, 1}, {inf, 1}));
  EXPECT_TRUE(wrong({inf, 1}, {3e38f, 1}));
  EXPECT_TRUE(wrong({nan, 1}, {inf, 1}));
}

TEST(Judge, FindsOneElementOfMany) {
  std::vector<float> wanted(10000, 1), got = wanted;
  EXPECT_FALSE(wrong(got, wanted));
  got[9999] = 1.0002f;
  EXPECT_TRUE(wrong(got, wanted));
  got[9999] = 1.00005f;
  EXPECT_FALSE(wrong(got, wanted));
  // Of the largest value, which an infinity is not.
  wanted[0] = got[0] = 10;
  got[9999] = 1.0009f;
  EXPECT_FALSE(wrong(got, wanted));
  wanted[0] = got[0] = inf;
  EXPECT_TRUE(wrong(got, wanted));
}

TEST(Judge, TakesTheToleranceAtItsWord) {
  EXPECT_FALSE(wrong({1.5f}, {1}, 0.5));
  EXPECT_TRUE(wrong({1.5f}, {1}, 0.49));
  EXPECT_TRUE(wrong({1e-30f}, {0}, 1));
  EXPECT_FALSE(wrong({0}, {0}, 1e-12));
}

TEST(Judge, ComparesIntegers) {
  const Tensor wanted(TensorType{DType::i64, {2}});
  Tensor got(TensorType{DType::i64, {2}});
  EXPECT_FALSE(compare("k", "v", got, wanted, 1e-4).wrong);
  got.mutable_elements<int64_t>()[1] = 1;
  EXPECT_TRUE(compare("k", "v", got, wanted, 1e-4).wrong);
}

TEST(Judge, AllowsNoMoreThanAFiftiethOfWhatIsAddedUp) {
  VerifiedValue value = compare("k", "v", tensor_of({1}, {3e-7f}), tensor_of({1}, {1e-8f}), 1e-4);
  EXPECT_TRUE(value.wrong);
  allow_rounding(value, 1e-4, 0.8);
  EXPECT_FALSE(value.wrong);
  allow_rounding(value, 1e-4, 0.1);
  EXPECT_TRUE(value.wrong);
  VerifiedValue lost = compare("k", "v", tensor_of({1}, {nan}), tensor_of({1}, {1e-8f}), 1e-4);
  allow_rounding(lost, 1e-4, 1e6);
  EXPECT_TRUE(lost.wrong);
}

double magnitudes(const std::vector<Tensor> &inputs, const std::string &body) {
  std::string parameters;
  for (size_t i = 0; i < inputs.size(); ++i)
    parameters += fmt::format("{}%x{}: {}", i ? ", " : "", i, to_string(inputs[i].type()));
  const std::optional<Graph> graph =
      model_of(fmt::format("model @m({}) {{\n{}\nreturn %y\n}}\n", parameters, body));
  if (!graph)
    return -1;
  std::vector<const Node *> nodes;
  for (const Node &node : graph->nodes)
    nodes.push_back(&node);
  return largest_sum_of_magnitudes(*graph, nodes, [&](ValueId id, Diagnostics &) {
    const auto found = std::ranges::find(graph->inputs, id);
    return std::optional(inputs[static_cast<size_t>(found - graph->inputs.begin())]);
  });
}

TEST(Judge, AddsUpMagnitudesOfSumsAlone) {
  const Tensor x = tensor_of({1, 4}, {3, -4, 5, -6}), w = tensor_of({1, 4}, {1, 2, -3, 4});
  EXPECT_EQ(magnitudes({x, w}, "%y = dense %x0, %x1"), 3 + 8 + 15 + 24);
  EXPECT_EQ(magnitudes({x}, "%y = reduce_mean %x0 axes=[1]"), 18 / 4.0);
  EXPECT_EQ(magnitudes({x}, "%y = reduce_max %x0 axes=[1]"), 0);
  EXPECT_EQ(magnitudes({x}, "%y = relu %x0"), 0);
  EXPECT_EQ(magnitudes({x, w}, "%y = sub %x0, %x1"), 6 + 4);
  EXPECT_EQ(magnitudes({x, w}, "%s = sub %x0, %x1\n%y = reduce_sum %s axes=[1]"), 2 + 6 + 8 + 10);
}

TEST(Judge, AModelPassesWithoutAWrongValueOrOutput) {
  VerifiedValue right{"k", "v"}, wrong = right;
  wrong.wrong = true;
  EXPECT_TRUE((Verification{{right}, {right}}.passed()));
  EXPECT_FALSE((Verification{{right, wrong}, {right}}.passed()));
  EXPECT_FALSE((Verification{{right}, {right, wrong}}.passed()));
}

/// The elements that --compare calls wrong, with a tolerance of 1e-3.
size_t differing(const std::vector<double> &actual, const std::vector<double> &expected) {
  return difference(actual, expected, 1e-3).wrong;
}

TEST(Difference, ToleratesAThousandthOfTheLargestAndOfTheElement) {
  EXPECT_EQ(differing({1.0059, 0.0009}, {1, 0}), 0U);
  EXPECT_EQ(differing({1.0061, 0.0009}, {1, 0}), 1U);
  EXPECT_EQ(differing({1, 0.0011}, {1, 0}), 1U);
  EXPECT_EQ(differing({100, 0.09}, {100, 0}), 0U);
  EXPECT_EQ(differing({100, 0.11}, {100, 0}), 1U);
  // Small outputs are compared as if the largest was 1.
  EXPECT_EQ(differing({1e-5, 2e-4}, {0, 0}), 0U);
}

TEST(Difference, InfinitiesAndNaNAreWhatIsExpected) {
  EXPECT_EQ(differing({inf, -inf, nan}, {inf, -inf, nan}), 0U);
  EXPECT_EQ(differing({nan, 1}, {1, nan}), 2U);
  EXPECT_EQ(differing({1e30, -inf, nan}, {inf, inf, inf}), 3U);
  EXPECT_EQ(differing({inf, 1}, {3, 1}), 1U);
  EXPECT_EQ(difference({nan, 1}, {1, 1}, 1e-3).error, inf);
  // An infinity is not what the others are measured by.
  EXPECT_EQ(differing({inf, 2}, {inf, 1}), 1U);
}

TEST(Difference, CountsAndNamesTheFirst) {
  const Difference found = difference({0, 5, 2, 9}, {0, 1, 2, 3}, 1e-3);
  EXPECT_EQ(found.largest, 3);
  EXPECT_EQ(found.error, 6);
  EXPECT_EQ(found.wrong, 2U);
  EXPECT_EQ(found.first, 1U);
}

} // namespace

} // namespace cnnc
