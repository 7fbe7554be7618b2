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
    if (other.cost) {
      EXPECT_LE(*chosen->cost, *other.cost * 1.08)
          << other.choice << ": a larger tile has a margin";
    }
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

TEST(explain, sums_of_integers_are_exact) {
  const std::vector<KernelExplanation> kernels = explain(R"(
model @m(%x: u8[1, 16, 6, 6]) {
  %w = splat 1 : i8[16, 16, 3, 3]
  %c = conv2d %x, %w
  return %c
})");
  EXPECT_EQ(decision(kernel(kernels, "c"), "algorithm").reason, "sums of integers are exact");
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
      if (decision.question == "registers") {
        EXPECT_NE(decision.chosen.find("tile=[" + kernel.info.tile), std::string::npos)
            << decision.chosen << " " << kernel.info.tile;
      }
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

/// All that is said of a model's kernels, a line each: "kernel question: chosen: reason".
std::string told(std::string_view text, const cnnc::Options &options = for_avx512()) {
  std::string lines;
  for (const KernelExplanation &kernel : explain(text, options))
    for (const KernelExplanation::Decision &decision : kernel.decisions)
      lines += kernel.info.name + " " + decision.question + ": " + decision.chosen + ": " +
               decision.reason + "\n";
  return lines;
}

void expect_lines(const std::string &lines, const std::vector<std::string_view> &parts) {
  for (std::string_view part : parts)
    EXPECT_NE(lines.find(part), std::string::npos) << part << " is not in\n" << lines;
}

TEST(explain, reasons_of_convolutions) {
  expect_lines(
      told(R"(model @m(%x: f32[1, 64, 68, 68], %y: f32[1, 1024, 56, 56], %z: f32[1, 512, 7, 7],
                       %v: f32[1, 64, 1, 1], %q: f32[1, 48, 40, 40]) {
  %w1 = random(1, he) : f32[64, 1, 3, 3]
  %large = conv2d %x, %w1 pad=[1, 1, 1, 1] groups=64
  %w0 = random(9, he) : f32[64, 1, 3, 3]
  %pooled = conv2d %x, %w0 pad=[1, 1, 1, 1] groups=64
  %pool = max_pool2d %pooled kernel=[2, 2] stride=[2, 2]
  %odd = conv2d %x, %w1 pad=[1, 1, 0, 1] groups=64
  %w2 = random(2, he) : f32[512, 1024, 1, 1]
  %far = conv2d %y, %w2
  %w3 = random(3, he) : f32[64, 512, 3, 3]
  %few = conv2d %z, %w3 stride=[2, 2] pad=[1, 1, 1, 1]
  %w4 = random(4, he) : f32[64, 64, 1, 1]
  %one = conv2d %v, %w4
  %w5 = random(5, he) : f32[48, 12, 3, 3]
  %groups = conv2d %q, %w5 pad=[1, 1, 1, 1] groups=4
  %w6 = random(6, he) : f32[48, 3, 3, 3]
  %narrow = conv2d %q, %w6 pad=[1, 1, 1, 1] groups=16 dilation=[2, 2]
  %w7 = random(7, he) : f32[3, 3, 16, 512, 3, 3]
  %local = local2d %z, %w7 stride=[2, 2]
  %w8 = random(8, he) : f32[48, 48, 3, 3]
  %atrous = conv2d %q, %w8 pad=[12, 12, 12, 12] dilation=[12, 12]
  %direct = conv2d %q, %w8 pad=[1, 1, 1, 1] winograd=-1
  return %large, %pool, %odd, %far, %few, %one, %groups, %narrow, %local, %atrous, %direct
})"),
      {"large layout: blocks of 16 channels: vectors of neighbouring channels for every pixel",
       "large operand: %x.nchw16c: conv2d reads %x in another layout, or with a halo",
       "large order: n, oh, oc: the cache does not hold the input, which was written row by row",
       "pooled tile: oc:16, ow:3: one row: a fused pool joins rows already",
       "odd tile: oc:16, ow:14: one row: the height is odd, or there is only one",
       "far rows at a time: 2: they stay in the cache for all channels",
       "far tile: 2 vectors x 14 pixels: few rows share weights that come from beyond the cache",
       "far prefetch: none: many sweeps over the weights: 224",
       "few prefetch: 4096 bytes ahead: few sweeps over weights from beyond the cache: 1",
       "few partial sums: ic:32: sums of 4608 products in parts of 288 keep more of their digits",
       "one tile: oc:64, ow:1: one pixel: more channels are sums that do not wait for each other",
       "one prefetch: none: the weights are few",
       "one partial sums: none: a sum has 64 products only",
       "one threads: one: 8256 operations take less time than threads need to meet (from 25000 on)",
       "groups tile: oc:48, ow:5: vectors until the pattern of groups repeats: 3",
       "local tile: oc:16: every pixel has weights of its own",
       "atrous padded rows: skip: a tenth of the windows' rows or more is padding alone",
       "direct algorithm: direct: the model says so"});
}

TEST(explain, reasons_of_pools_and_reductions) {
  expect_lines(told(R"(model @m(%x: f32[1, 3, 32, 32], %y: f32[1, 48, 40, 40],
                       %z: f32[1, 30, 40, 40]) {
  %plain = max_pool2d %x kernel=[3, 3] stride=[2, 2]
  %clipped = max_pool2d %y kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1]
  %relu = relu %clipped
  %blocked = max_pool2d %y kernel=[3, 3] stride=[2, 2]
  %sum = reduce_sum %y axes=[0, 1, 2, 3]
  %w = random(1, he) : f32[30, 5, 3, 3]
  %narrow = conv2d %z, %w pad=[1, 1, 1, 1] groups=6
  return %plain, %relu, %blocked, %sum, %narrow
})"),
               {"plain tile: none: channels do not lie in blocks of vectors",
                "clipped tile: c:16: windows are clipped at the border: pixel by pixel",
                "blocked tile: c:16, ow:8: neighbouring columns share what they read",
                "sum threads: one: none of its loops can be shared",
                "narrow layout: plain: its groups of channels do not fill vectors",
                "narrow tile: ow:64: channels do not fill vectors: pixels do"});
}

TEST(explain, reasons_of_products_of_matrices) {
  expect_lines(
      told(R"(model @m(%a: f32[64, 64], %b: f32[64, 64], %c: f32[64, 72], %d: f32[4096, 64],
                       %e: f32[14, 32768], %f: f32[32768, 1024]) {
  %stays = matmul %a, %b
  %uneven = matmul %a, %c
  %rows = matmul %d, %b
  %deep = matmul %e, %f
  return %stays, %uneven, %rows, %deep
})"),
      {"stays order: j, i: a stays in the cache for all columns of b",
       "uneven order: j, i: tiles of two widths: columns come first",
       "rows order: i, j: 227 tiles of rows of a stay in the cache for all columns of b",
       "deep order: j, i: reading b again for each block of rows would take longer"});
}

TEST(explain, reasons_of_gradients) {
  expect_lines(told(R"(model @m(%x: f32[1, 64, 16, 16], %g: f32[1, 64, 16, 16]) {
  %filter = conv2d_filter_gradient %x, %g kernel=[3, 3] pad=[1, 1, 1, 1]
  return %filter
})"),
               {"loads per multiply-add, the fewest of those that fit the registers",
                "rows that the first cache holds, and images enough for tasks"});
}

TEST(explain, a_copy_has_nothing_of_what_it_copies) {
  const std::vector<KernelExplanation> kernels = explain(network);
  for (const KernelExplanation::Decision &decision : kernels.back().decisions)
    EXPECT_NE(decision.pass, "choose_algorithms") << decision.subject;
}

} // namespace
