// Outputs in the memory of inputs (`return %next in %w`): a run whose pointers are the same for both
// gives the bits of a run whose memory lies apart, whatever the kernels read and when.
#include "compiler/cnnc.h"
#include "ir/text/diagnostics.h"

#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

namespace cnnc {
namespace {

using Bytes = std::vector<float>;

std::vector<Bytes> make_inputs(const cnnc_model_v1 &table) {
  std::vector<Bytes> inputs;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> elements(-1, 1);
  for (uint32_t i = 0; i < table.input_count; ++i)
    for (inputs.emplace_back(table.inputs[i].size / 4); float &x : inputs.back())
      x = elements(random);
  return inputs;
}

/// The outputs of a run. `updated`: the input in whose memory each lies, or its own where it is -1.
std::vector<Bytes> run(const Program &program, const std::vector<int> &updated, uint32_t threads) {
  const cnnc_model_v1 &table = program.table();
  std::vector<Bytes> inputs = make_inputs(table), outputs;
  std::vector<const void *> read;
  std::vector<void *> written;
  for (Bytes &input : inputs)
    read.push_back(input.data());
  for (uint32_t i = 0; i < table.output_count; ++i)
    outputs.emplace_back(table.outputs[i].size / 4, -7.0f);
  for (uint32_t i = 0; i < table.output_count; ++i)
    written.push_back(updated[i] < 0 ? outputs[i].data()
                                     : inputs[static_cast<size_t>(updated[i])].data());
  cnnc_context context = {};
  context.threads = threads;
  Result<void> ran = program.run(read, written, &context);
  EXPECT_TRUE(ran) << ran.error();
  for (uint32_t i = 0; i < table.output_count; ++i)
    if (updated[i] >= 0)
      outputs[i] = inputs[static_cast<size_t>(updated[i])];
  return outputs;
}

/// `updated` says the same as the text.
void expect_the_same_in_place(const std::string &text, const std::vector<int> &updated,
                              const Options &options = {}) {
  SCOPED_TRACE(text);
  Result<Model> model = parse(text);
  ASSERT_TRUE(model) << model.error();
  Result<Program> program = jit(*model, options);
  ASSERT_TRUE(program) << program.error();
  const std::vector<Bytes> apart = run(*program, std::vector<int>(updated.size(), -1), 1);
  for (uint32_t threads : {1u, 3u}) {
    const std::vector<Bytes> in_place = run(*program, updated, threads);
    for (size_t i = 0; i < apart.size(); ++i)
      EXPECT_EQ(std::memcmp(apart[i].data(), in_place[i].data(), 4 * apart[i].size()), 0)
          << "output " << i << ", " << threads << " threads";
  }
}

TEST(Updates, LieInTheMemoryOfTheirInputs) {
  expect_the_same_in_place(
      R"(model @m(%x: f32[50, 70], %w: f32[30, 70], %rate: f32[], %m: f32[30, 70], %g: f32[30, 70]) {
  %scaled = mul %g, %rate
  %m.next = add %m, %scaled
  %next = sub %w, %m.next
  %y = dense %x, %w
  return %y, %next in %w, %m.next in %m
})",
      {-1, 1, 3});
}

TEST(Updates, WaitForThoseWhoReadTheOldOne) {
  expect_the_same_in_place(
      R"(model @m(%w: f32[300, 70], %v: f32[300, 70], %r: f32[600], %t: f32[30, 30], %h: f32[20, 20]) {
  %next = sub %w, %v
  %y = mul %next, %w
  %rn = slice %r starts=[-1] ends=[-1000] axes=[0] steps=[-1]
  %tn = transpose %t permutation=[1, 0]
  %hn = relu %h
  %flat = reshape %h shape=[400]
  %z = softmax %flat axis=0
  %q = concat %h, %h axis=1
  return %y, %next in %w, %rn in %r, %tn in %t, %hn in %h, %z, %q
})",
      {-1, 0, 2, 3, 4, -1, -1});
}

// The product is added to the weights where it is computed: no kernel more.
TEST(Updates, JoinTheKernelOfTheirGradient) {
  const char *text = R"(model @m(%x: f32[64, 70], %g: f32[64, 45], %m: f32[45, 70]) {
  %t = transpose %g permutation=[1, 0]
  %d = matmul %t, %x
  %half = splat 0.5 : f32[]
  %h = mul %m, %half
  %n = add %h, %d
  return %n in %m
})";
  expect_the_same_in_place(text, {2});
  Result<std::vector<KernelInfo>> kernels = describe_kernels(*parse(text));
  ASSERT_TRUE(kernels) << kernels.error();
  for (const KernelInfo &kernel : *kernels)
    EXPECT_EQ(kernel.ops.find("relayout"), std::string::npos) << kernel.ops;
}

TEST(Updates, MayChangePlaces) {
  expect_the_same_in_place(
      R"(model @m(%a: f32[100], %b: f32[100], %c: f32[100], %p: f32[100], %q: f32[100], %k: f32[100]) {
  %pn = sub %p, %q
  %qn = sub %q, %p
  %one = splat 1 : f32[100]
  return %b in %a, %c in %b, %a in %c, %pn in %p, %qn in %q, %one in %k
})",
      {0, 1, 2, 3, 4, 5});
  expect_the_same_in_place(
      "model @m(%a: f32[9], %b: f32[9]) { %s = add %a, %b return %a in %a, %s, %s in %b }",
      {0, -1, 1});
}

// Convolutions, whose filters are laid out anew and whose results are blocked.
TEST(Updates, OfFiltersAndImages) {
  expect_the_same_in_place(R"(model @m(%x: f32[2, 20, 9, 9], %w: f32[20, 20, 3, 3], %b: f32[20]) {
  %c = conv2d %x, %w, %b pad=[1, 1, 1, 1]
  %n = relu %c
  %v = sigmoid %w
  %s = reduce_mean %c axes=[0, 2, 3] keep_dims=false
  return %n in %x, %v in %w, %s in %b
})",
                           {0, 1, 2});
}

/// A few values made of each other and of the states, some of which become the next states.
std::string random_text(std::mt19937 &random, int size, std::vector<int> &updated) {
  constexpr int states = 4;
  auto below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  std::string text = "model @m(";
  std::vector<std::string> values;
  for (int i = 0; i < states; ++i) {
    values.push_back(fmt::format("%s{}", i));
    text += fmt::format("{0}{1}: f32[{2}, {2}]", i ? ", " : "", values.back(), size);
  }
  text += ") {\n";
  const int ops = 3 + below(8);
  for (int i = 0; i < ops; ++i) {
    const std::string a = values[random() % values.size()], b = values[random() % values.size()];
    const std::string result = fmt::format("%v{}", i);
    switch (below(9)) {
    case 0:
      text += fmt::format("  {} = transpose {} permutation=[1, 0]\n", result, a);
      break;
    case 1:
      text += fmt::format("  {} = matmul {}, {}\n", result, a, b);
      break;
    case 2:
      text +=
          fmt::format("  {} = slice {} starts=[-1] ends=[-100] axes=[1] steps=[-1]\n", result, a);
      break;
    case 3:
      text += fmt::format("  {0}r = reshape {1} shape=[{2}]\n  {0}e = relu {0}r\n  {0} = reshape "
                          "{0}e shape=[{3}, {3}]\n",
                          result, a, size * size, size);
      break;
    case 4:
      text += fmt::format(
          "  {0}a, {0}b = split {1} axis=0 sizes=[2, {2}]\n  {0} = concat {0}b, {0}a axis=0\n",
          result, a, size - 2);
      break;
    case 5:
      text += fmt::format(
          "  {0}p = matmul {1}, {2}\n  {0}d = mul %s{3}, {0}p\n  {0} = sub %s{3}, {0}d\n", result,
          a, b, below(states));
      break;
    default:
      text += fmt::format("  {} = {} {}, {}\n", result, below(2) ? "add" : "mul", a, b);
    }
    values.push_back(result);
  }
  text += "  return ";
  for (int i = 0; i < states + 1; ++i) {
    const bool state = i < states && below(4) != 0;
    text += fmt::format("{}{}{}", i ? ", " : "",
                        values[values.size() - 1 - random() % std::min<size_t>(values.size(), 6)],
                        state ? fmt::format(" in %s{}", i) : "");
    updated.push_back(state ? i : -1);
  }
  return text + "\n}";
}

TEST(Updates, OfRandomModels) {
  std::mt19937 random(11);
  for (int i = 0; i < 60; ++i) {
    std::vector<int> updated;
    const std::string text = random_text(random, i % 4 == 0 ? 37 : 6, updated);
    Options options;
    options.cpu = std::array{"x86-64", "x86-64-v3", ""}[static_cast<size_t>(i) % 3];
    expect_the_same_in_place(text, updated, options);
    if (HasFailure())
      return;
  }
}

} // namespace
} // namespace cnnc
