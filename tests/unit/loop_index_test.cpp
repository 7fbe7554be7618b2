// Index algebra: every operation keeps the value, checked by evaluating random expressions.
#include "loop_test_helpers.h"

#include <gtest/gtest.h>
#include <map>

namespace cnnc::loop {
namespace {

const std::vector<std::string> names = {"a", "b", "oc.i", "w"};

/// An expression together with its value at a few points, computed on the side with plain integers.
struct Sample {
  Index index;
  std::vector<int64_t> values;
};

class IndexAlgebra : public ::testing::Test {
protected:
  IndexAlgebra() {
    for (int i = 0; i < 12; ++i) {
      Point point;
      for (const std::string &name : names)
        point[name] = random_.between(-70, 70);
      points_.push_back(point);
    }
  }

  Sample leaf() {
    Sample sample;
    if (random_.between(0, 3) == 0) {
      sample.index = random_.between(-40, 40);
      sample.values.assign(points_.size(), sample.index.constant);
      return sample;
    }
    const std::string &name = names[random_.between(0, 3)];
    sample.index = Index::variable(name);
    for (const Point &point : points_)
      sample.values.push_back(point.at(name));
    return sample;
  }

  Sample expression(int depth) {
    if (depth == 0)
      return leaf();
    Sample left = expression(depth - 1);
    int64_t operation = random_.between(0, 5);
    if (operation <= 2) {
      Sample right = expression(random_.between(0, depth - 1));
      left.index = operation == 0 ? left.index - right.index : left.index + right.index;
      for (size_t i = 0; i < points_.size(); ++i)
        left.values[i] += operation == 0 ? -right.values[i] : right.values[i];
      return left;
    }
    int64_t number = operation == 3 ? random_.between(-20, 20) : divisor();
    left.index = operation == 3   ? left.index * number
                 : operation == 4 ? left.index / number
                                  : left.index % number;
    for (int64_t &value : left.values)
      value = operation == 3   ? value * number
              : operation == 4 ? floor_divide(value, number)
                               : value - floor_divide(value, number) * number;
    return left;
  }

  int64_t divisor() {
    constexpr int64_t common[] = {1, 2, 4, 8, 16, 32, 3, 14, 56};
    return common[random_.between(0, 8)];
  }

  Random random_{1};
  std::vector<Point> points_;
};

TEST_F(IndexAlgebra, KeepsTheValue) {
  for (int round = 0; round < 3000; ++round) {
    Sample sample = expression(static_cast<int>(random_.between(1, 6)));
    for (size_t i = 0; i < points_.size(); ++i)
      ASSERT_EQ(evaluate(sample.index, points_[i]), sample.values[i]) << to_string(sample.index);
  }
}

TEST_F(IndexAlgebra, ReadsBackWhatItPrints) {
  for (int round = 0; round < 3000; ++round) {
    Index index = expression(static_cast<int>(random_.between(1, 6))).index;
    ASSERT_EQ(read_index(to_string(index)), index) << to_string(index);
  }
}

TEST_F(IndexAlgebra, SubstitutesValues) {
  for (int round = 0; round < 2000; ++round) {
    Sample outer = expression(4);
    Sample inner = expression(2);
    Index result = substitute(outer.index, "a", inner.index);
    for (size_t i = 0; i < points_.size(); ++i) {
      Point changed = points_[i];
      changed["a"] = inner.values[i];
      ASSERT_EQ(evaluate(result, points_[i]), evaluate(outer.index, changed))
          << to_string(outer.index) << " with a = " << to_string(inner.index);
    }
  }
}

TEST_F(IndexAlgebra, EqualSumsCompareEqual) {
  for (int round = 0; round < 1000; ++round) {
    Index a = expression(3).index, b = expression(3).index, c = expression(3).index;
    ASSERT_EQ((a + b) + c, a + (c + b));
    ASSERT_EQ(a + b - b, a);
    ASSERT_EQ((a + b) * 6, a * 6 + b * 3 * 2);
    Index fresh = Index::variable("fresh");
    ASSERT_EQ((fresh * 16 + b) % 16, b % 16);
    ASSERT_EQ((fresh * 16 + b) / 16, fresh + b / 16);
  }
}

TEST(Index, Spelling) {
  EXPECT_EQ(to_string(read_index("1 - oh*2")), "1 - oh * 2");
  EXPECT_EQ(to_string(read_index("oh*2 + kh - 1")), "oh * 2 + kh - 1");
  EXPECT_EQ(to_string(read_index("4 * (t / 14) + i")), "(t / 14) * 4 + i");
  EXPECT_EQ(to_string(read_index("(oc.o * 32 + oc.i) / 16")), "oc.o * 2 + oc.i / 16");
  EXPECT_EQ(to_string(read_index("(48 * x + y + 19) % 16")), "(y + 3) % 16");
  EXPECT_EQ(to_string(read_index("-(t / 4) - 2")), "-t / 4 - 2");
  EXPECT_EQ(to_string(Index(0)), "0");
}

TEST(Index, OverflowSaturates) {
  Index huge = Index::variable("a") * (int64_t(1) << 40);
  EXPECT_EQ((huge * (int64_t(1) << 40)).terms[0].factor, std::numeric_limits<int64_t>::max());
  EXPECT_EQ((huge * -(int64_t(1) << 40)).terms[0].factor, -std::numeric_limits<int64_t>::max());
  Index top(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(top + top, top);
}

} // namespace
} // namespace cnnc::loop
