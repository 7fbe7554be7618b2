// What explain() says of kernels.
#include "compiler/cnnc.h"

#include <gtest/gtest.h>

namespace {

using cnnc::KernelExplanation;

cnnc::Options for_avx512() {
  cnnc::Options options;
  options.cpu = "skylake-avx512";
  return options;
}

std::vector<KernelExplanation> explain(std::string_view text,
                                       const cnnc::Options &options = for_avx512()) {
  cnnc::Result<cnnc::Model> model = cnnc::parse(text, "m.ir");
  EXPECT_TRUE(model) << model.error();
  if (!model)
    return {};
  cnnc::Result<std::vector<KernelExplanation>> kernels = cnnc::explain(*model, options);
  EXPECT_TRUE(kernels) << kernels.error();
  return kernels ? *kernels : std::vector<KernelExplanation>();
}

const KernelExplanation &kernel(const std::vector<KernelExplanation> &kernels,
                                std::string_view name) {
  static const KernelExplanation none;
  for (const KernelExplanation &kernel : kernels)
    if (kernel.info.name == name)
      return kernel;
  ADD_FAILURE() << "no kernel " << name;
  return none;
}

/// The last decision on a question; fails where there is none.
const KernelExplanation::Decision &decision(const KernelExplanation &kernel,
                                            std::string_view question) {
  static const KernelExplanation::Decision none;
  for (auto it = kernel.decisions.rbegin(); it != kernel.decisions.rend(); ++it)
    if (it->question == question)
      return *it;
  ADD_FAILURE() << kernel.info.name << ": nothing about " << question;
  return none;
}

const KernelExplanation::Candidate *candidate(const KernelExplanation::Decision &decision,
                                              std::string_view choice) {
  for (const KernelExplanation::Candidate &candidate : decision.candidates)
    if (candidate.choice == choice)
      return &candidate;
  return nullptr;
}

constexpr std::string_view network = R"(model @m(%x: f32[1, 32, 28, 28]) {
  %w1 = random(1, he) : f32[64, 32, 1, 1]
  %a = conv2d %x, %w1
  %ar = relu %a
  %w2 = random(2, he) : f32[64, 64, 3, 3]
  %b = conv2d %ar, %w2 pad=[1, 1, 1, 1]
  %sum = add %b, %ar
  %br = relu %sum
  %w3 = random(3, he) : f32[64, 1, 3, 3]
  %c = conv2d %br, %w3 pad=[1, 1, 1, 1] groups=64
  %p = max_pool2d %c kernel=[3, 3] stride=[2, 2]
  return %p
})";

TEST(explain, the_cheapest_candidate_is_chosen) {
  const std::vector<KernelExplanation> kernels = explain(network);
  const KernelExplanation::Decision &algorithm = decision(kernel(kernels, "b"), "algorithm");
  EXPECT_EQ(algorithm.pass, "choose_algorithms");
  EXPECT_EQ(algorithm.unit, "operations at peak");
  const KernelExplanation::Candidate *chosen = candidate(algorithm, algorithm.chosen);
  ASSERT_TRUE(chosen && chosen->cost);
  for (const KernelExplanation::Candidate &other : algorithm.candidates)
    if (other.cost)
      EXPECT_LE(*chosen->cost, *other.cost * 1.08)
          << other.choice << ": a larger tile has a margin";
  EXPECT_EQ(kernel(kernels, "b").info.algorithm, "winograd(4)");
  EXPECT_EQ(algorithm.chosen, "winograd=4");
}

TEST(explain, what_is_not_possible_says_why) {
  const std::vector<KernelExplanation> kernels = explain(network);
  EXPECT_NE(decision(kernel(kernels, "a"), "algorithm").reason.find("3x3"), std::string::npos);
  cnnc::Options precise = for_avx512();
  precise.max_error = 1e-6;
  const std::vector<KernelExplanation> exact = explain(network, precise);
  const KernelExplanation::Candidate *large =
      candidate(decision(kernel(exact, "b"), "algorithm"), "winograd=6");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->cost, std::nullopt);
  EXPECT_NE(large->note.find("1.0e-06 (--max-error)"), std::string::npos) << large->note;
  precise.strict_arithmetic = true;
  EXPECT_EQ(decision(kernel(explain(network, precise), "b"), "algorithm").reason,
            "--fp=strict allows nothing else");
}

TEST(explain, why_not_one_op_more) {
  const std::vector<KernelExplanation> kernels = explain(network);
  EXPECT_EQ(decision(kernel(kernels, "a"), "fusion").chosen, "conv2d + relu");
  EXPECT_EQ(decision(kernel(kernels, "a"), "fusion").reason,
            "2 ops read it (conv2d %b, add %sum), and conv2d %b has sums of its own, in register "
            "tiles of another shape");
  EXPECT_EQ(decision(kernel(kernels, "b"), "fusion").chosen, "conv2d + add + relu");
  EXPECT_EQ(decision(kernel(kernels, "c"), "fusion").reason,
            "the windows of max_pool2d %p are not 2x2 and side by side in equal parts");
  EXPECT_EQ(decision(kernel(kernels, "p"), "fusion").reason,
            "its result is an output of the model");
}

TEST(explain, ops_stand_where_the_user_wrote_them) {
  const std::vector<KernelExplanation> kernels = explain(network);
  const KernelExplanation &fused = kernel(kernels, "b");
  ASSERT_EQ(fused.ops.size(), 3u);
  EXPECT_EQ(fused.ops[0].source, "m.ir:6");
  EXPECT_EQ(fused.ops[0].line, "%b = conv2d %ar, %w2 pad=[1, 1, 1, 1]");
  EXPECT_EQ(fused.ops[1].value, "sum");
  EXPECT_EQ(fused.ops[2].line, "%br = relu %sum");
  EXPECT_NE(fused.ops[2].text.find("f32[1, 64, 28, 28] nchw16c"), std::string::npos);
  EXPECT_NE(fused.result.find("nchw16c"), std::string::npos);
}

TEST(explain, copies_have_a_reason) {
  const std::vector<KernelExplanation> kernels = explain(network);
  EXPECT_EQ(decision(kernels.front(), "copy").chosen, "of %x");
  EXPECT_EQ(decision(kernels.back(), "copy").reason,
            "an output of the model is row-major and in memory of its own");
  EXPECT_EQ(decision(kernel(kernels, "a"), "operand").chosen, "%x.nchw16c");
}

TEST(explain, registers_of_the_tile) {
  const std::vector<KernelExplanation> kernels = explain(network);
  const KernelExplanation &pointwise = kernel(kernels, "a");
  EXPECT_EQ(pointwise.info.tile, "oc:64, ow:6");
  EXPECT_EQ(pointwise.accumulators, 24);
  EXPECT_EQ(pointwise.available_registers, 32);
  EXPECT_EQ(pointwise.spilled_accumulators, 0);
  ASSERT_TRUE(pointwise.loop);
  EXPECT_EQ(pointwise.loop->accumulators, 24);
  const KernelExplanation::Decision &tile = decision(pointwise, "tile");
  EXPECT_EQ(tile.chosen, "4 vectors x 6 pixels");
  ASSERT_TRUE(candidate(tile, tile.chosen));
  EXPECT_NEAR(*candidate(tile, tile.chosen)->cost, 1.0 / 4 + 1.0 / 6, 1e-9);
  ASSERT_TRUE(candidate(tile, "3 vectors x 8 pixels"));
  EXPECT_EQ(candidate(tile, "3 vectors x 8 pixels")->note, "does not divide 4 vectors of channels");
  EXPECT_GT(kernel(kernels, "b").scratch_bytes + kernel(kernels, "b").scratch_bytes_per_thread, 0);
}

TEST(explain, a_smaller_tile_for_registers_is_what_is_explained) {
  // Plain x86-64 has no fused multiply-add: products need registers.
  cnnc::Options options;
  options.cpu = "x86-64";
  options.features = "+sse4.1";
  for (const KernelExplanation &kernel : explain(network, options))
    for (const KernelExplanation::Decision &decision : kernel.decisions)
      if (decision.question == "registers")
        EXPECT_NE(decision.chosen.find("tile=[" + kernel.info.tile), std::string::npos)
            << decision.chosen << " " << kernel.info.tile;
}

TEST(explain, time_grows_with_the_work) {
  auto text = [](int channels) {
    return "model @m(%x: f32[1, " + std::to_string(channels) +
           ", 28, 28]) {\n  %w = random(1, he) : f32[64, " + std::to_string(channels) +
           ", 1, 1]\n  %a = conv2d %x, %w\n  return %a\n}";
  };
  const KernelExplanation few = kernel(explain(text(64)), "a"),
                          many = kernel(explain(text(256)), "a");
  EXPECT_GT(few.time.arithmetic, few.operations() * 0.99) << "not less than its multiplications";
  EXPECT_LT(few.expected_operations, 2.5 * few.operations());
  EXPECT_NEAR(many.expected_operations / few.expected_operations, 4, 0.8);
  EXPECT_NEAR(few.time.seconds(1e11, 1e10) / few.time.seconds(2e11, 2e10), 2, 1e-6);
}

TEST(explain, one_kernel_by_name) {
  cnnc::Options options = for_avx512();
  options.print_kernel = "b";
  const std::vector<KernelExplanation> kernels = explain(network, options);
  ASSERT_EQ(kernels.size(), 1u);
  EXPECT_EQ(kernels.front().info.name, "b");
  options.print_kernel = "bb";
  const auto none = cnnc::explain(*cnnc::parse(network), options);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().find("there is no kernel @bb"), std::string::npos);
}

TEST(explain, loops_of_the_text_have_code_alone) {
  const std::vector<KernelExplanation> kernels = explain(R"(model @m(%x: f32[64]) {
  %y = call "twice" %x : f32[64]
  return %y
}
kernel @twice(x: f32[64]) -> (y: f32[64]) {
  for i in 0..4, vector j in 0..16 { y[i * 16 + j] = x[i * 16 + j] * 2 }
})");
  ASSERT_EQ(kernels.size(), 1u);
  EXPECT_TRUE(kernels.front().ops.empty());
  EXPECT_TRUE(kernels.front().decisions.empty());
  EXPECT_EQ(kernels.front().accumulators, 0);
  ASSERT_TRUE(kernels.front().loop);
}

} // namespace
