// The loops text: what prints reads back the same, and no damaged text does harm. Walks over it.
#include "ir/loop/rewrite.h"
#include "ir/loop/verifier.h"
#include "loop_test_helpers.h"

namespace cnnc::loop {
namespace {

/// A 3x3 convolution, as lowering defines it and as the passes leave it; a pool with a border;
/// functions.
const char *const kernels_text =
    R"(kernel @c3(r2: f32[4, 58, 58, 16], w: f32[2, 4, 3, 3, 16, 32], b: f32[64]) -> (r3: f32[4, 58, 58, 16]) schedule(vector=oc:16, tile=[oc:32, ow:12], unroll=ic:4, parallel=oc) {
  for oc in 0..64, oh in 0..56, ow in 0..56 {
    reg c: f32
    c = b[oc]
    for ic.o in 0..4, kh in 0..3, kw in 0..3, ic.i in 0..16 {
      c += r2[ic.o, oh + kh, ow + kw, ic.i] * w[oc / 32, ic.o, kh, kw, ic.i, oc % 32]
    }
    r3[oc / 16, oh + 1, ow + 1, oc % 16] = max(c, 0)
  }
}

kernel @c3.tiled(r2: f32[4, 58, 58, 16], w: f32[2, 4, 3, 3, 16, 32], b: f32[64]) -> (r3: f32[4, 58, 58, 16]) {
  parallel oc.o in 0..2, for oh in 0..56, ow.o in 0..4 {
    reg c: f32[2, 11, 16]
    unroll o in 0..2, p in 0..11, vector l in 0..16 {
      c[o, p, l] = b[oc.o * 32 + o * 16 + l]
    }
    for ic.o in 0..4, kh in 0..3, kw in 0..3, ic.u in 0..4, unroll ic.i in 0..4, p in 0..11, o in 0..2, vector l in 0..16 {
      c[o, p, l] += r2[ic.o, oh + kh, ow.o * 11 + p + kw, ic.u * 4 + ic.i] * w[oc.o, ic.o, kh, kw, ic.u * 4 + ic.i, o * 16 + l]
    }
    unroll o in 0..2, p in 0..11, vector l in 0..16 {
      r3[oc.o * 2 + o, oh + 1, ow.o * 11 + p + 1, l] = max(c[o, p, l], 0)
    }
  }
}

kernel @p(x: f32[56, 16]) -> (y: f32[28, 16]) local(m: f32[16]) {
  for oh in 0..28, c in 0..16 {
    m[c] = -inf
    for kh in max(0, 1 - oh * 2)..min(3, 57 - oh * 2) {
      m[c] = max(m[c], x[oh * 2 + kh - 1, c])
    }
    y[oh, c] = m[c]
  }
}

kernel @"odd name"(x: f32[4], i: i64[4]) -> (y: f32[4], j: i64[4]) {
  for a in 0..4 {
    y[a] = select(x[a] < -0.5, exp(x[a]) - 1, fma(x[a], tanh(2), -sqrt(x[3 - a])) / (x[0] - (x[1] - 1e-05)))
    y[a] += -(x[a] + -1) * (-2) / (x[a] * min(x[0], nan))
    y[a] = -(1) - x[((a * 7 + 2) / 3 + 1) % 4]
    j[a] = i[a]
  }
}
)";

const char *const graph_text = R"(model @lenet(%image: f32[n, 1, 28, 28]) {
  %w1 = weight "conv1.weight" : f32[6, 1, 5, 5]
  %b1 = weight "conv1.bias" : f32[6]
  %c1 = conv2d %image, %w1, %b1 stride=[1, 1] pad=[2, 2, 2, 2] : f32[n, 6, 28, 28] // a comment
  %r1 = relu %c1
  %"odd \"name\"" = max_pool2d %r1 kernel=[2, 2] stride=[2, 2]
  return %"odd \"name\""
}
)";

TEST(LoopText, PrintsWhatItReads) { EXPECT_EQ(to_string(read_module(kernels_text)), kernels_text); }

TEST(LoopText, KernelsAreValid) {
  for (const Kernel &kernel : read_module(kernels_text).kernels) {
    Diagnostics diagnostics;
    EXPECT_TRUE(verify(kernel, diagnostics)) << diagnostics.to_string();
  }
}

TEST(LoopText, ReadsBackEqual) {
  Module first = read_module(kernels_text);
  Module second = read_module(to_string(first));
  ASSERT_EQ(first.kernels.size(), second.kernels.size());
  for (size_t i = 0; i + 1 < first.kernels.size(); ++i) { // the last holds a nan
    EXPECT_EQ(first.kernels[i].body, second.kernels[i].body);
    EXPECT_EQ(first.kernels[i].inputs, second.kernels[i].inputs);
    EXPECT_EQ(first.kernels[i].locals, second.kernels[i].locals);
    EXPECT_EQ(first.kernels[i].schedule, second.kernels[i].schedule);
  }
}

std::string errors_of(const std::string &text) {
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{"test.ir", text});
  EXPECT_FALSE(parse_module(source, diagnostics));
  return diagnostics.to_string();
}

TEST(LoopWalks, SeeWhatStandsAtAnyDepth) {
  const Kernel kernel = read_module(R"(kernel @k(x: f32[4]) -> (y: f32[4], z: f32[4]) {
  for i in 0..4 {
    reg sum: f32
    sum = value(i)
    for j in 0..4 {
      sum += x[j] * 2
    }
    y[i] = sum
    z[i] += 1
  }
}
)")
                            .kernels.at(0);
  using Names = std::set<std::string>;
  EXPECT_EQ(reads(kernel.body), (Names{"sum", "x", "z"}));
  EXPECT_EQ(writes(kernel.body), (Names{"sum", "y", "z"}));
  std::string order;
  for_each_statement(kernel.body, [&](const Statement &statement) {
    if (const auto *loop = std::get_if<For>(&statement.node))
      order += loop->variable + " ";
    else if (std::holds_alternative<Register>(statement.node))
      order += "reg ";
    else
      order += std::get<Assign>(statement.node).target.buffer + " ";
  });
  EXPECT_EQ(order, "i reg sum j sum y z ");
  int accesses = 0;
  for_each_access(kernel.body, [&](const Access &) { ++accesses; });
  EXPECT_EQ(accesses, 7); // four targets, value(i), x and sum
}

TEST(LoopText, Errors) {
  auto body = [](const std::string &text) {
    return errors_of("kernel @k(x: f32[4]) -> (y: f32[4]) { " + text + " }");
  };
  auto repeated = [](const std::string &text, int times) {
    std::string result;
    for (int i = 0; i < times; ++i)
      result += text;
    return result;
  };
  auto contains = [](const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(contains(body("y[0] = )"), "expected a number, a buffer or a register, found ')'"));
  EXPECT_TRUE(contains(body("= 3"), "expected a loop, a register or an assignment"));
  EXPECT_TRUE(contains(body("for a 0..3 {}"), "expected 'in'"));
  EXPECT_TRUE(contains(body("y[a * b] = 0"), "one factor must be a constant"));
  EXPECT_TRUE(contains(body("y[a / 0] = 0"), "divisor must be a positive constant"));
  EXPECT_TRUE(contains(body("y[a * 1099511627776 * 1099511627776] = 0"), "end at 2^40"));
  EXPECT_TRUE(contains(body("y[0] = tan(1)"), "there is no function 'tan'"));
  EXPECT_TRUE(contains(body("y[0] = max(1)"), "max takes 2 arguments, but 1 is given"));
  EXPECT_TRUE(contains(body("y[0] = 1" + repeated(" + 1", 100000)), "too long"));
  EXPECT_TRUE(contains(body("y[0] = " + repeated("(", 100000)), "nested too deeply"));
  EXPECT_TRUE(contains(body("y[0] = " + repeated("-", 100000) + "1"), "nested too deeply"));
  EXPECT_TRUE(contains(body("y[" + repeated("(", 100000)), "nested too deeply"));
  EXPECT_TRUE(contains(body(repeated("for a in 0..1 { ", 100000)), "nested too deeply"));
  EXPECT_TRUE(contains(body("for a in 0..1" + repeated(", a in 0..1", 100000)), "too deeply"));
}

/// Damages a text by bytes and by tokens (words, numbers, single signs).
class Mutator {
public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string operator()(std::string text) {
    for (int64_t count = random_.between(1, 4); count > 0; --count)
      mutate(text);
    return text;
  }

private:
  static bool is_word(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; }

  /// [begin, end) of the token at a random place.
  std::pair<size_t, size_t> token(const std::string &text) {
    auto begin = static_cast<size_t>(random_.between(0, static_cast<int64_t>(text.size()) - 1));
    size_t end = begin + 1;
    if (is_word(text[begin])) {
      while (begin > 0 && is_word(text[begin - 1]))
        --begin;
      while (end < text.size() && is_word(text[end]))
        ++end;
    }
    return {begin, end};
  }

  void mutate(std::string &text) {
    if (text.empty())
      return;
    auto [begin, end] = token(text);
    std::string word = text.substr(begin, end - begin);
    auto [other, other_end] = token(text);
    switch (random_.between(0, 6)) {
    case 0:
      text.erase(begin, end - begin);
      break;
    case 1:
      text.insert(begin, word + " ");
      break;
    case 2:
      text.replace(begin, end - begin, text.substr(other, other_end - other));
      break;
    case 3:
      text.insert(other, word);
      break;
    case 4:
      text[begin] = static_cast<char>(random_.between(0, 255));
      break;
    case 5:
      text.replace(begin, end - begin, spice(random_.between(0, 9)));
      break;
    default:
      text.erase(begin, static_cast<size_t>(random_.between(1, 200)));
    }
  }

  static std::string spice(int64_t which) {
    constexpr const char *words[] = {
        "9223372036854775807", "1099511627776", "0", "-1", "1e308", "inf", "for", "{", "\"", "%"};
    return words[which];
  }

  Random random_;
};

/// Parses a damaged text; one that is still valid must print and read back.
void try_text(const std::string &text, int &valid) {
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{"fuzz.ir", text});
  std::optional<Module> module = parse_module(source, diagnostics);
  ASSERT_NE(module.has_value(), diagnostics.has_errors()) << text;
  if (!module) {
    ASSERT_FALSE(diagnostics.to_string().empty());
    return;
  }
  ++valid;
  bool names_read_back = true;
  for (const Kernel &kernel : module->kernels)
    names_read_back = verify(kernel, diagnostics) && names_read_back;
  if (!names_read_back)
    return;
  std::string printed = to_string(*module);
  ASSERT_EQ(to_string(read_module(printed)), printed) << text;
}

TEST(TextFuzz, NoDamagedTextDoesHarm) {
  Mutator mutate(7);
  int valid = 0;
  for (int round = 0; round < 10000; ++round) {
    ASSERT_NO_FATAL_FAILURE(try_text(mutate(kernels_text), valid)) << "round " << round;
    ASSERT_NO_FATAL_FAILURE(try_text(mutate(graph_text), valid)) << "round " << round;
  }
  EXPECT_GT(valid, 500); // otherwise the mutations are too wild to reach anything deep
}

} // namespace
} // namespace cnnc::loop
