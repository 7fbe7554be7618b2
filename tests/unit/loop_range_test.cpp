// Ranges and simplification against enumeration of every iteration of random loop nests.
#include "ir/loop/range.h"
#include "loop_test_helpers.h"

#include <chrono>
#include <functional>

namespace cnnc::loop {
namespace {

For read_loop(const std::string &header) {
  Kernel kernel = read_kernel("kernel @k() -> (y: f32[9]) { for " + header + " {} }");
  return kernel.body.empty() ? For{} : std::get<For>(kernel.body[0].node);
}

/// Calls the function at every iteration of the loops, outermost first.
void enumerate(const std::vector<For> &loops, size_t depth, Point &point,
               const std::function<void()> &visit) {
  if (depth == loops.size())
    return visit();
  int64_t first = std::numeric_limits<int64_t>::min();
  int64_t end = std::numeric_limits<int64_t>::max();
  for (const Index &bound : loops[depth].lower)
    first = std::max(first, evaluate(bound, point));
  for (const Index &bound : loops[depth].upper)
    end = std::min(end, evaluate(bound, point));
  for (int64_t value = first; value < end; ++value) {
    point[loops[depth].variable] = value;
    enumerate(loops, depth + 1, point, visit);
  }
}

/// The values that an index really takes, or empty when no iteration runs.
std::optional<Range> true_range(const std::vector<For> &loops, const Index &index) {
  std::optional<Range> result;
  Point point;
  enumerate(loops, 0, point, [&] {
    int64_t value = evaluate(index, point);
    result = result ? Range{std::min(result->min, value), std::max(result->max, value)}
                    : Range{value, value};
  });
  return result;
}

Scope scope_of(const std::vector<For> &loops) {
  Scope scope;
  for (const For &loop : loops)
    scope.push(loop);
  return scope;
}

class RandomNest {
public:
  explicit RandomNest(Random &random) : random_(random) {
    for (int64_t depth = random.between(1, 3); depth > 0; --depth) {
      For loop;
      loop.variable = std::string(1, static_cast<char>('a' + loops.size()));
      loop.lower.clear();
      Index start = index(0, 2);
      loop.lower.push_back(start);
      loop.upper.push_back(start + Index(random.between(0, 9)));
      if (random.between(0, 2) == 0)
        loop.lower.push_back(index(2, 6));
      if (random.between(0, 2) == 0)
        loop.upper.push_back(index(2, 6));
      loops.push_back(std::move(loop));
    }
  }

  /// A random index of up to `terms` terms over the loops made so far.
  Index index(int64_t least_terms, int64_t terms) {
    Index result(random_.between(-9, 9));
    if (loops.empty())
      return result;
    for (int64_t count = random_.between(std::min(least_terms, terms), terms); count > 0; --count)
      result = result + atom(2) * random_.between(-5, 5);
    return result;
  }

  std::vector<For> loops;

private:
  Index atom(int depth) {
    auto last = static_cast<int64_t>(loops.size()) - 1;
    Index variable = Index::variable(loops[static_cast<size_t>(random_.between(0, last))].variable);
    int64_t kind = depth == 0 ? 0 : random_.between(0, 4);
    constexpr int64_t divisors[] = {2, 3, 4, 16};
    int64_t divisor = divisors[random_.between(0, 3)];
    if (kind <= 2)
      return variable;
    Index inner = variable * random_.between(1, 8) + atom(depth - 1) + random_.between(-3, 20);
    return kind == 3 ? inner / divisor : inner % divisor;
  }

  Random &random_;
};

TEST(LoopRange, ContainsEveryValue) {
  Random random(2);
  int exact = 0, checked = 0;
  for (int round = 0; round < 3000; ++round) {
    RandomNest nest(random);
    Scope scope = scope_of(nest.loops);
    for (int i = 0; i < 4; ++i) {
      Index index = nest.index(1, 3);
      std::optional<Range> proved = scope.range_of(index);
      ASSERT_TRUE(proved);
      std::optional<Range> real = true_range(nest.loops, index);
      if (!real)
        continue;
      ASSERT_LE(proved->min, real->min) << to_string(index);
      ASSERT_GE(proved->max, real->max) << to_string(index);
      ++checked;
      exact += *proved == *real;
    }
  }
  EXPECT_GT(checked, 4000);
  EXPECT_GT(exact, checked / 3); // a proof that says nothing would be sound too
}

TEST(LoopRange, SimplifyKeepsTheValue) {
  Random random(3);
  int simpler = 0;
  for (int round = 0; round < 3000; ++round) {
    RandomNest nest(random);
    Scope scope = scope_of(nest.loops);
    Index index = nest.index(1, 3);
    Index simple = simplify(index, scope);
    simpler += simple != index;
    Point point;
    enumerate(nest.loops, 0, point, [&] {
      ASSERT_EQ(evaluate(simple, point), evaluate(index, point))
          << to_string(index) << " became " << to_string(simple);
    });
    if (HasFatalFailure())
      return;
  }
  EXPECT_GT(simpler, 100);
}

struct Case {
  std::vector<std::string> loops;
  std::string index;
};

/// What lowering and tiling write: the range must be the smallest one.
const Case exact_cases[] = {
    {{"oh in 0..28", "kh in max(0, 1 - oh * 2)..min(3, 57 - oh * 2)"}, "oh * 2 + kh - 1"},
    {{"oh in 0..28", "kh in 0..3"}, "oh * 2 + kh"},
    {{"oc.o in 0..2", "oc.i in 0..32"}, "(oc.o * 32 + oc.i) / 16"},
    {{"oc.o in 0..2", "oc.i in 0..32"}, "(oc.o * 32 + oc.i) % 16"},
    {{"oc.o in 0..6", "oc.i in 0..16"}, "(oc.o * 16 + oc.i) / 32"},
    {{"t in 0..3136"}, "t / 56"},
    {{"t in 0..3136"}, "t % 56"},
    {{"t in 0..784"}, "(t / 14) * 4 + 5"},
    {{"t.o in 0..7", "t.i in 0..28"}, "(t.o * 28 + t.i) % 14"},
    {{"t.o in 0..7", "t.i in 0..28"}, "(t.o * 28 + t.i) / 14"},
    {{"x in 0..9"}, "(x * 4 + 1) % 16"},
    {{"x in 5..9"}, "(x + 3) % 16"},
    {{"ow.o in 0..5", "ow.i in 0..min(12, 56 - ow.o * 12)"}, "ow.o * 12 + ow.i"},
    {{"ow.o in 0..5", "p in ow.o * 12..min(ow.o * 12 + 12, 56)"}, "p"},
    {{"ow.o in 0..5", "p in ow.o * 12..min(ow.o * 12 + 12, 56)"}, "p - ow.o * 12"},
    {{"t in 0..20", "h in (t / 5) * 4..(t / 5) * 4 + 4"}, "h - (t / 5) * 4"},
    {{"oh in 0..7", "ow in 0..7", "kh in max(0, 1 - oh)..min(3, 8 - oh)",
      "kw in max(0, 1 - ow)..min(3, 8 - ow)"},
     "oh + kh - 1"},
    {{"i in 0..8", "j in i..8"}, "j - i"},
    {{"i in 0..8", "j in 0..i + 1", "k in j..i + 1"}, "i - k + j"},
};

TEST(LoopRange, ExactForCommonCases) {
  for (const Case &test : exact_cases) {
    std::vector<For> loops;
    for (const std::string &loop : test.loops)
      loops.push_back(read_loop(loop));
    Index index = read_index(test.index);
    std::optional<Range> real = true_range(loops, index);
    std::optional<Range> proved = scope_of(loops).range_of(index);
    ASSERT_TRUE(real && proved) << test.index;
    EXPECT_EQ(proved->min, real->min) << test.index;
    EXPECT_EQ(proved->max, real->max) << test.index;
  }
}

TEST(LoopRange, UnknownVariableAndOverflow) {
  Scope scope;
  scope.push(read_loop("a in 0..1099511627776"));
  EXPECT_FALSE(scope.range_of(Index::variable("b")));
  EXPECT_FALSE(scope.range_of(Index::variable("a") * (int64_t(1) << 40)));
  EXPECT_EQ(scope.range_of(Index::variable("a")), (Range{0, (int64_t(1) << 40) - 1}));
  scope.push(read_loop("b in 0..unknown"));
  EXPECT_FALSE(scope.range_of(Index::variable("b")));
  scope.pop();
  EXPECT_FALSE(scope.binds("b"));
}

TEST(LoopRange, ManyAlternativesStayFast) {
  Scope scope;
  std::string before = "0";
  for (char name = 'a'; name <= 'z'; ++name) {
    std::string variable(1, name);
    scope.push(read_loop(variable + " in 0..min(" + before + " + 9, " + before + " + 8, " + before +
                         " + 7)"));
    before = variable;
  }
  auto start = std::chrono::steady_clock::now();
  std::optional<Range> range = scope.range_of(Index::variable("z"));
  EXPECT_TRUE(range && range->min == 0 && range->max >= 26 * 6);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(LoopSimplify, CommonCases) {
  Scope scope;
  scope.push(read_loop("a in 0..8"));
  scope.push(read_loop("o in 0..2"));
  scope.push(read_loop("b in 0..16"));
  scope.push(read_loop("q in 2..4"));
  const std::pair<const char *, const char *> cases[] = {
      {"(16 * a + b) / 16", "a"},
      {"b % 16", "b"},
      {"(a * 32 + o * 16 + b) / 32", "a"},
      {"(a * 32 + o * 16 + b) % 32", "o * 16 + b"},
      {"(a * 16 + b) % 32", "(a % 2) * 16 + b"},
      {"(a * 16 + b) / 32", "a / 2"},
      {"(q + 14) % 16", "q - 2"},
      {"(q + 14) / 16", "1"},
      {"(b / 16 + a) * 3", "a * 3"},
      {"((16 * a + b) / 16) % 8", "a"},
      {"(a * 16 + b) % 24", "(a * 16 + b) % 24"},
      {"a % 4", "a % 4"},
  };
  for (auto [index, expected] : cases)
    EXPECT_EQ(to_string(simplify(read_index(index), scope)), to_string(read_index(expected)))
        << index;
}

} // namespace
} // namespace cnnc::loop
