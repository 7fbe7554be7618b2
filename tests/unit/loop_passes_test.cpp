// The loop passes keep the meaning of a kernel: random ops and groups of ops are lowered, cut by
// random schedules, and run after every pass. What a pass makes is valid, and is the same when its
// text is read again. What a pass does to which text is in tests/loop_passes.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/loop_passes/loop_passes.h"
#include "compiler/lowering/lower_loops.h"
#include "compiler/reference/run_loops.h"
#include "ir/loop/rewrite.h"
#include "ir/loop/verifier.h"
#include "tests/unit/lowering_cases.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace cnnc {
namespace {

using loop::Buffers;
using loop::Kernel;

constexpr Machine machine{.vector_lanes = 4,
                          .vector_registers = 16,
                          .fused_multiply_add = false,
                          .tile_registers = 14,
                          .wide_tiles = false};

struct LoopPass {
  const char *name;
  bool (*run)(Kernel &, PassContext &);
};
constexpr LoopPass tail[] = {
    {"tile_loops", tile_loops},         {"vectorize_loops", vectorize_loops},
    {"unroll_loops", unroll_loops},     {"parallelize_loops", parallelize_loops},
    {"simplify_loops", simplify_loops}, {"check_bounds", check_bounds}};

/// The kernels of a model, one for each op or group of ops.
std::vector<Kernel> kernels_of(const std::string &text, bool layouts) {
  Diagnostics diagnostics;
  auto source = std::make_shared<Source>(Source{"model", text});
  std::optional<Module> module = parse_module(source, diagnostics);
  PassContext context{diagnostics, machine, {}};
  bool ok = module.has_value();
  for (auto pass : {infer_shapes, fuse_kernels, assign_layouts, choose_schedule, pack_weights})
    if (ok && (layouts || pass == infer_shapes || pass == fuse_kernels))
      ok = pass(module->models[0], context);
  EXPECT_TRUE(ok && lower_loops(*module, context)) << text << diagnostics.to_string();
  return module ? std::move(module->kernels) : std::vector<Kernel>{};
}

void collect_loops(const std::vector<loop::Statement> &body,
                   std::vector<const loop::For *> &loops) {
  for (const loop::Statement &statement : body)
    if (const auto *inner = std::get_if<loop::For>(&statement.node)) {
      loops.push_back(inner);
      collect_loops(inner->body, loops);
    }
}

/// A schedule that names loops which exist, with random sizes; some of them cannot be obeyed.
Schedule random_schedule(const Kernel &kernel, Choices &choices) {
  Schedule schedule;
  std::vector<const loop::For *> loops;
  collect_loops(kernel.body, loops);
  auto named = [](const auto &items, const std::string &loop) {
    return std::any_of(items.begin(), items.end(),
                       [&](const auto &item) { return item.loop == loop; });
  };
  auto is_plain = [](const loop::For *loop) {
    return loop->kind == loop::LoopKind::serial && loop->extent();
  };
  std::vector<const loop::For *> band = loop::perfect_band(
      kernel.body[static_cast<size_t>(choices.between(0, int64_t(kernel.body.size()) - 1))]);
  const bool lanes = std::any_of(band.begin(), band.end(), [](const loop::For *loop) {
    return loop->kind == loop::LoopKind::vector;
  });
  for (const loop::For *loop : band) {
    if (loop->extent() && !lanes && choices.between(0, 2) > 0)
      schedule.tile.push_back({loop->variable, choices.between(1, 9)});
    if (schedule.vector.empty() && named(schedule.tile, loop->variable) && choices.flip())
      schedule.vector.push_back({loop->variable, choices.one_of<int64_t>({2, 4, 8})});
  }
  for (size_t i = 0; i < band.size() && is_plain(band[i]) && choices.between(0, 2) > 0; ++i)
    schedule.parallel.push_back(band[i]->variable);
  for (const loop::For *loop : loops)
    if (is_plain(loop) && !named(schedule.tile, loop->variable) &&
        !named(schedule.unroll, loop->variable) && !named(schedule.parallel, loop->variable) &&
        choices.between(0, 3) == 0)
      schedule.unroll.push_back({loop->variable, choices.between(1, 5)});
  return schedule;
}

/// About how many assignments the kernel executes.
int64_t work(const std::vector<loop::Statement> &body) {
  int64_t sum = 0;
  for (const loop::Statement &statement : body) {
    const auto *inner = std::get_if<loop::For>(&statement.node);
    sum += inner ? inner->extent().value_or(3) * work(inner->body) : 1;
  }
  return sum;
}

Buffers random_inputs(const Kernel &kernel, Choices &choices) {
  Buffers buffers;
  for (const loop::Buffer &buffer : kernel.inputs) {
    size_t size = 1;
    for (int64_t extent : buffer.shape)
      size *= static_cast<size_t>(extent);
    for (size_t i = 0; i < size; ++i)
      buffers[buffer.name].push_back(choices.number());
  }
  return buffers;
}

/// What the kernel stores into its outputs.
Buffers outputs_of(const Kernel &kernel, Buffers buffers) {
  std::string error;
  EXPECT_TRUE(loop::run_loops(kernel, buffers, error)) << error << "\n" << loop::to_string(kernel);
  Buffers outputs;
  for (const loop::Buffer &buffer : kernel.outputs)
    outputs[buffer.name] = buffers[buffer.name];
  return outputs;
}

void expect_equal(const Buffers &actual, const Buffers &expected) {
  for (const auto &[name, elements] : expected) {
    ASSERT_EQ(actual.at(name).size(), elements.size()) << name;
    for (size_t i = 0; i < elements.size(); ++i) {
      double a = actual.at(name)[i], b = elements[i];
      bool equal = (std::isnan(a) && std::isnan(b)) || a == b ||
                   std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(b));
      ASSERT_TRUE(equal) << name << " at " << i << ": " << a << " instead of " << b;
    }
  }
}

void expect_reads_back(const Kernel &kernel) {
  Diagnostics diagnostics;
  std::string text = loop::to_string(kernel);
  auto source = std::make_shared<Source>(Source{"kernel", text});
  std::optional<Module> module = parse_module(source, diagnostics);
  ASSERT_TRUE(module) << diagnostics.to_string() << text;
  const Kernel &again = module->kernels.at(0);
  EXPECT_EQ(loop::to_string(again), text);
  EXPECT_TRUE(again.body == kernel.body && again.schedule == kernel.schedule) << text;
}

/// Runs one pass and compares. False when the pass reports that it cannot do what the schedule
/// says.
bool step(const LoopPass &pass, Kernel &kernel, const Buffers &inputs, const Buffers &expected) {
  std::string before = loop::to_string(kernel);
  SCOPED_TRACE(std::string(pass.name) + " on\n" + before);
  Diagnostics diagnostics;
  PassContext context{diagnostics, machine, {}};
  if (!pass.run(kernel, context)) {
    EXPECT_TRUE(diagnostics.has_errors());
    EXPECT_EQ(diagnostics.to_string().find("internal error"), std::string::npos);
    return false;
  }
  EXPECT_TRUE(loop::verify(kernel, diagnostics))
      << diagnostics.to_string() << loop::to_string(kernel);
  expect_reads_back(kernel);
  expect_equal(outputs_of(kernel, inputs), expected);
  std::string once = loop::to_string(kernel);
  EXPECT_TRUE(pass.run(kernel, context)) << diagnostics.to_string();
  EXPECT_EQ(loop::to_string(kernel), once) << "not idempotent";
  return !testing::Test::HasFailure();
}

/// All passes over a kernel, with its own schedule or with random ones. Counts the kernels that
/// went through to the end.
void check(const Kernel &lowered, bool own_schedule, Choices &choices, int &finished,
           int &refused) {
  Buffers inputs = random_inputs(lowered, choices), expected = outputs_of(lowered, inputs);
  Kernel fused = lowered;
  if (!step({"fuse_loops", fuse_loops}, fused, inputs, expected)) {
    ADD_FAILURE() << "kernels that fuse_kernels makes can be fused\n" << loop::to_string(lowered);
    return;
  }
  if (!own_schedule)
    fused.schedule = random_schedule(fused, choices);
  for (const LoopPass &pass : tail)
    if (!step(pass, fused, inputs, expected)) {
      ++refused;
      EXPECT_FALSE(own_schedule) << "a schedule that choose_schedule makes can be obeyed";
      return;
    }
  EXPECT_TRUE(fused.schedule.empty());
  ++finished;
}

class OneOp : public testing::TestWithParam<CaseMaker> {};

TEST_P(OneOp, computes_the_same_after_every_pass) {
  int finished = 0, refused = 0;
  for (uint32_t seed = 1; seed <= 40 && finished + refused < 12 && !HasFailure(); ++seed) {
    Choices choices(seed * 104729);
    Case c = GetParam().make(choices);
    std::string text = fmt::format("model @m({}) {{\n  {} = {}\n  return {}\n}}\n", c.inputs,
                                   c.results, c.op, c.results);
    SCOPED_TRACE(text);
    for (const Kernel &kernel : kernels_of(text, false))
      if (work(kernel.body) < 30'000)
        check(kernel, false, choices, finished, refused);
  }
  EXPECT_GE(finished, 3);
}

INSTANTIATE_TEST_SUITE_P(Ops, OneOp, testing::ValuesIn(case_makers()),
                         [](const auto &row) { return std::string(row.param.name); });

/// A convolution with all that may follow it in its kernel, and a pool with an activation.
std::string random_group(Choices &r) {
  int64_t ic = r.between(1, 9), oc = r.between(1, 14), groups = 1, size = r.between(4, 9);
  if (r.between(0, 3) == 0)
    groups = ic = oc;
  int64_t kernel = r.between(1, 3), pad = r.between(0, kernel - 1), stride = r.between(1, 2);
  int64_t out = (size + 2 * pad - kernel) / stride + 1;
  std::string text = fmt::format(
      "model @m(%x: f32[1, {0}, {1}, {1}], %z: f32[1, {2}, {3}, {3}]) {{\n"
      "  %w = weight \"w\" : f32[{2}, {4}, {5}, {5}]\n  %b = weight \"b\" : f32[{2}]\n"
      "  %c = conv2d %x, %w, %b groups={6} stride=[{7}, {7}] pad=[{8}, {8}, {8}, {8}]\n",
      ic, size, oc, out, ic / groups, kernel, groups, stride, pad);
  std::string last = "c";
  auto append = [&](const char *name, const std::string &op) {
    text += fmt::format("  %{} = {}\n", name, op);
    last = name;
  };
  if (r.flip())
    append("s", fmt::format("add %{}, %z", last));
  if (r.flip())
    append("r", fmt::format("{} %{}", r.one_of({"relu", "tanh", "hard_swish"}), last));
  if (out >= 2 && r.flip())
    append("p", fmt::format("{} %{} kernel=[2, 2] stride=[2, 2]",
                            r.one_of({"max_pool2d", "avg_pool2d"}), last));
  if (r.between(0, 2) == 0) {
    append("g", fmt::format("global_avg_pool2d %{}", last));
    append("u", fmt::format("sigmoid %{}", last));
  }
  return text + "  return %" + last + "\n}\n";
}

TEST(Groups, compute_the_same_after_every_pass) {
  int finished = 0, refused = 0, own = 0;
  for (uint32_t seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    Choices choices(seed * 7877);
    std::string text = random_group(choices);
    SCOPED_TRACE(text);
    for (const Kernel &kernel : kernels_of(text, true)) {
      check(kernel, true, choices, own, refused);
      check(kernel, false, choices, finished, refused);
    }
  }
  EXPECT_GE(finished, refused);
  EXPECT_GE(own, 60);
}

} // namespace
} // namespace cnnc
