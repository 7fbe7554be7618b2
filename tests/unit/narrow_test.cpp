// Floats of 16 bits: their rounding, and random models with weights stored so, against the reference
// interpreter, on every instruction set and with any number of threads.
#include "compiler/cnnc.h"
#include "compiler/codegen/target/target.h"
#include "compiler/tensor/narrow.h"
#include "tests/unit/lowering_cases.h"
#include "tests/unit/test_models.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace cnnc {

namespace {

class Narrow : public testing::TestWithParam<DType> {};

bool is_nan(uint16_t bits, DType dtype) { return std::isnan(widened_bits(bits, dtype)); }

TEST_P(Narrow, HoldsItsOwnNumbers) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto narrow = static_cast<uint16_t>(bits);
    const uint16_t again = narrow_bits(widened_bits(narrow, GetParam()), GetParam());
    if (is_nan(narrow, GetParam()))
      EXPECT_TRUE(is_nan(again, GetParam())) << bits;
    else
      EXPECT_EQ(again, narrow);
  }
}

/// Between two neighbours: the nearer one, the even one in the middle.
TEST_P(Narrow, RoundsToTheNearest) {
  const uint16_t infinity = narrow_bits(std::numeric_limits<float>::infinity(), GetParam());
  for (uint16_t bits = 0; bits < infinity - 1; ++bits) {
    const float below = widened_bits(bits, GetParam());
    const auto next = static_cast<uint16_t>(bits + 1);
    const auto middle = static_cast<float>(
        (static_cast<double>(below) + static_cast<double>(widened_bits(next, GetParam()))) / 2);
    for (const float sign : {1.0F, -1.0F}) {
      const uint16_t bit = sign < 0 ? 0x8000 : 0;
      EXPECT_EQ(narrow_bits(sign * middle, GetParam()), bit | (bits % 2 == 0 ? bits : next));
      EXPECT_EQ(narrow_bits(sign * std::nextafter(middle, 0.0F), GetParam()), bit | bits);
      EXPECT_EQ(narrow_bits(sign * std::nextafter(middle, INFINITY), GetParam()), bit | next);
    }
  }
}

TEST_P(Narrow, BecomesInfiniteBeyondTheLargest) {
  const uint16_t infinity = GetParam() == DType::bf16 ? 0x7f80 : 0x7c00;
  const float largest = widened_bits(static_cast<uint16_t>(infinity - 1), GetParam());
  EXPECT_EQ(largest, GetParam() == DType::bf16 ? std::bit_cast<float>(0x7f7f0000) : 65504.0F);
  EXPECT_EQ(narrow_bits(largest, GetParam()), infinity - 1);
  EXPECT_EQ(narrow_bits(std::numeric_limits<float>::max(), GetParam()), infinity);
  EXPECT_EQ(narrow_bits(-INFINITY, GetParam()), infinity | 0x8000);
}

INSTANTIATE_TEST_SUITE_P(Types, Narrow, testing::Values(DType::bf16, DType::f16),
                         [](const auto &row) { return std::string(name_of(row.param)); });

/// A convolution, a dense layer or a product of matrices whose weights are large enough to be narrow.
std::string random_model(Choices &choices) {
  const int64_t batch = choices.between(1, 3);
  const bool bias = choices.between(0, 1) == 1;
  auto text = [&](const std::string &input, const std::string &weight, int64_t outputs,
                  const std::string &op) {
    return fmt::format(
        "model @m(%x: f32[{}]) {{\n  %w = random(7, he) : f32[{}]\n"
        "  %b = random(8, he) : f32[{}]\n  %c = {}\n  %y = relu %c\n  return %y\n}}\n",
        input, weight, outputs, op);
  };
  switch (choices.between(0, 3)) {
  case 0: {
    const int64_t inputs = choices.between(40, 140), outputs = choices.between(103, 200);
    return text(fmt::format("{}, {}", batch, inputs), fmt::format("{}, {}", outputs, inputs),
                outputs, bias ? "dense %x, %w, %b" : "dense %x, %w");
  }
  case 1: {
    const int64_t inputs = choices.between(40, 140), outputs = choices.between(103, 200);
    return text(fmt::format("{}, {}", choices.between(1, 40), inputs),
                fmt::format("{}, {}", inputs, outputs), outputs, "matmul %x, %w");
  }
  case 2: { // where Winograd's method may be faster
    const int64_t channels = 16 * choices.between(2, 4), size = choices.between(5, 19);
    return text(fmt::format("{}, {}, {}, {}", batch, channels, size, size + 3),
                fmt::format("{}, {}, 3, 3", channels, channels), channels,
                fmt::format("conv2d %x, %w{} pad=[1, 1, 1, 1] winograd={}", bias ? ", %b" : "",
                            choices.between(0, 6) / 2 * 2));
  }
  default:
    break;
  }
  const int64_t kernel = choices.between(1, 5), groups = choices.between(0, 4) == 0 ? 2 : 1;
  const int64_t inputs = groups * choices.between(20, 40);
  const int64_t each = 4096 / (inputs / groups * kernel * kernel * groups) + choices.between(1, 20);
  const int64_t outputs = groups * each, size = choices.between(kernel, 17);
  const int64_t stride = choices.between(1, 2), pad = choices.between(0, kernel - 1);
  return text(fmt::format("{}, {}, {}, {}", batch, inputs, size, size),
              fmt::format("{}, {}, {}, {}", outputs, inputs / groups, kernel, kernel), outputs,
              fmt::format("conv2d %x, %w{} stride=[{}, {}] pad=[{}, 0, {}, {}] groups={}",
                          bias ? ", %b" : "", stride, stride, pad, pad, pad, groups));
}

class NarrowModel : public testing::TestWithParam<std::tuple<std::string, WeightsType>> {
protected:
  static Options options() {
    Options options;
    options.cpu = std::get<0>(GetParam());
    options.weights_type = std::get<1>(GetParam());
    return options;
  }

  static Result<std::vector<std::vector<std::byte>>> inputs(const cnnc_model_v1 &table,
                                                            Choices &choices) {
    std::vector<float> input(table.inputs[0].size / sizeof(float));
    for (float &element : input)
      element = choices.number();
    std::vector<std::byte> bytes(table.inputs[0].size);
    std::memcpy(bytes.data(), input.data(), bytes.size());
    return std::vector<std::vector<std::byte>>{std::move(bytes)};
  }

  static void check(const std::string &text, Choices &choices) {
    SCOPED_TRACE(text);
    Result<Model> model = parse(text);
    ASSERT_TRUE(model) << model.error();
    Result<std::string> graph = emit(*model, Stage::graph, options());
    ASSERT_TRUE(graph) << graph.error();
    const bool transformed = graph->find(" winograd(") != std::string::npos; // always f16
    const bool bf16 = std::get<1>(GetParam()) == WeightsType::bf16 && !transformed;
    const bool other_tile = graph->find(" winograd(6)") != std::string::npos;
    EXPECT_EQ(graph->find(bf16 ? " : bf16[" : " : f16[") == std::string::npos, other_tile)
        << *graph;
    auto make = [&](const cnnc_model_v1 &table) { return inputs(table, choices); };
    Result<Verification> verified = verify(*model, make, 1e-5, options());
    ASSERT_TRUE(verified) << verified.error();
    EXPECT_TRUE(verified->passed()) << *graph;
    compare_threads(*model, choices);
  }

  static void compare_threads(const Model &model, Choices &choices) {
    Result<Program> program = jit(model, options());
    ASSERT_TRUE(program) << program.error();
    const cnnc_model_v1 &table = program->table();
    auto input = inputs(table, choices);
    std::vector<std::vector<std::byte>> results;
    for (uint32_t threads : {1u, 2u, 3u}) {
      std::vector<std::byte> output(table.outputs[0].size);
      cnnc_context context = {};
      context.threads = threads;
      const std::vector<const void *> in = {input->front().data()};
      const std::vector<void *> out = {output.data()};
      const Result<void> ran = program->run(in, out, &context);
      ASSERT_TRUE(ran) << ran.error();
      results.push_back(std::move(output));
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }

  static bool runs_here() {
    Diagnostics diagnostics;
    std::optional<codegen::Target> target = codegen::resolve_target(options().cpu, "", diagnostics);
    return target && codegen::runs_on_host(*target);
  }
};

TEST_P(NarrowModel, ComputesWithRoundedWeights) {
  if (!runs_here())
    GTEST_SKIP() << "this machine has no " << options().cpu;
  for (uint32_t seed = 1; seed <= 24 && !HasFailure(); ++seed) {
    Choices choices(seed);
    const std::string text = random_model(choices);
    check(text, choices);
  }
}

INSTANTIATE_TEST_SUITE_P(Cpus, NarrowModel,
                         testing::Combine(testing::Values("x86-64", "haswell", "x86-64-v4"),
                                          testing::Values(WeightsType::bf16, WeightsType::f16)),
                         [](const auto &row) {
                           std::string name = std::get<0>(row.param);
                           std::ranges::replace(name, '-', '_');
                           return name +
                                  (std::get<1>(row.param) == WeightsType::bf16 ? "_bf16" : "_f16");
                         });

} // namespace

} // namespace cnnc
