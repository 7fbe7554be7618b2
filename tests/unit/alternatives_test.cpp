// What --compare-schedules measures: kernels cut out of models, and other schedules for them.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/reduce/cut_kernel.h"
#include "compiler/schedule/alternatives.h"
#include "compiler/schedule/check_schedule.h"
#include "compiler/schedule/register_tile.h"
#include "ir/module/module.h"
#include "tests/unit/test_models.h"

#include <algorithm>
#include <set>

namespace cnnc {
namespace {

/// The one model of a text, after the passes up to the choice of schedules for AVX-512.
Graph scheduled(const std::string &text) {
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{"<test>", text});
  std::optional<Module> module = parse_module(source, diagnostics);
  EXPECT_TRUE(module) << diagnostics.to_string();
  Graph &graph = module->models.front();
  PassContext context{diagnostics};
  for (auto pass : {infer_shapes, choose_algorithms, fuse_kernels, assign_layouts, choose_schedule})
    EXPECT_TRUE(pass(graph, context)) << diagnostics.to_string();
  return std::move(graph);
}

KernelId kernel_named(const Graph &graph, const std::string &name) {
  const auto found = std::ranges::find(graph.kernels, name, &KernelGroup::name);
  EXPECT_NE(found, graph.kernels.end()) << name;
  return static_cast<KernelId>(found - graph.kernels.begin());
}

std::vector<ScheduleAlternative> alternatives_of(const Graph &graph, KernelId kernel) {
  return schedule_alternatives(graph, graph.kernels[kernel], kernel_members(graph)[kernel],
                               Machine());
}

std::set<std::string> schedules_that_change(const std::vector<ScheduleAlternative> &alternatives,
                                            const std::string &change) {
  std::set<std::string> result;
  for (const ScheduleAlternative &alternative : alternatives)
    if (alternative.change == change)
      result.insert(to_string(alternative.schedule));
  return result;
}

/// A direct convolution on a map of 24 columns, with 3 vectors of channels.
constexpr const char *direct = R"(
  model @m(%x: f32[1, 32, 24, 24]) {
    %w = random(1, he) : f32[48, 32, 3, 3]
    %c = conv2d %x, %w pad=[1, 1, 1, 1] winograd=-1
    %r = relu %c
    return %r
  })";

TEST(Alternatives, TilesFitTheRegistersAndDivideTheChannels) {
  const Graph graph = scheduled(direct);
  const KernelId kernel = kernel_named(graph, "c");
  ASSERT_EQ(to_string(graph.kernels[kernel].schedule),
            "schedule(vector=oc:16, tile=[oc:48, ow:8], unroll=ic:4, parallel=[n, oc, oh])");
  const auto rest = [](const std::string &tile) {
    return "schedule(vector=oc:16, tile=[" + tile + "], unroll=ic:4, parallel=[n, oc, oh])";
  };
  // 1 or 3 vectors: the most pixels that the registers hold, what divides the row, and half of it.
  EXPECT_EQ(schedules_that_change(alternatives_of(graph, kernel), "tile"),
            (std::set<std::string>{rest("oc:16, ow:24"), rest("oc:16, ow:12"), rest("oc:48, ow:6"),
                                   rest("oc:48, ow:4")}));
}

TEST(Alternatives, EachDiffersInOneEntryAndIsPossible) {
  const Graph graph = scheduled(direct);
  const KernelId kernel = kernel_named(graph, "c");
  const std::vector<std::vector<NodeId>> members = kernel_members(graph);
  const std::vector<ScheduleAlternative> alternatives = alternatives_of(graph, kernel);
  for (const ScheduleAlternative &alternative : alternatives) {
    KernelGroup changed = graph.kernels[kernel];
    changed.schedule = alternative.schedule;
    Diagnostics diagnostics;
    EXPECT_TRUE(check_schedule(graph, changed, members[kernel], diagnostics))
        << diagnostics.to_string();
    EXPECT_NE(alternative.schedule, graph.kernels[kernel].schedule);
  }
  EXPECT_EQ(schedules_that_change(alternatives, "order").size(), 1u); // one image stays in front
  EXPECT_EQ(schedules_that_change(alternatives, "unroll").size(), 2u);
  EXPECT_EQ(schedules_that_change(alternatives, "prefetch").size(), 2u);
}

TEST(Alternatives, LoadsServeAllPixelsAndAllChannels) {
  const Graph graph = scheduled(direct);
  const KernelId kernel = kernel_named(graph, "c");
  const std::optional<double> loads = loads_of_tile(
      scheduled_tile(graph, kernel_members(graph)[kernel], graph.kernels[kernel].schedule));
  ASSERT_TRUE(loads);
  EXPECT_NEAR(*loads, 1.0 / 3 + 1.0 / 8, 1e-12); // an input for 3 vectors, a vector for 8 pixels
}

TEST(Alternatives, WhatHasNoTileHasNoLoads) {
  const Graph graph = scheduled(R"(
    model @m(%x: f32[1, 32, 24, 24]) {
      %s = softmax %x axis=1
      return %s
    })");
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    EXPECT_FALSE(loads_of_tile(
        scheduled_tile(graph, kernel_members(graph)[id], graph.kernels[id].schedule)));
}

TEST(CutKernel, IsAModelOfItsOwn) {
  const Graph graph = scheduled(R"(
    model @m(%x: f32[1, 32, 24, 24]) {
      %w = random(1, he) : f32[32, 32, 3, 3]
      %v = random(2, he) : f32[32, 32, 3, 3]
      %a = conv2d %x, %w pad=[1, 1, 1, 1] winograd=-1
      %b = conv2d %a, %v pad=[1, 1, 1, 1] winograd=-1
      %s = add %b, %a
      %r = relu %s
      %t = exp %r
      return %r, %t
    })");
  Module cut;
  cut.models.push_back(cut_kernel(graph, kernel_named(graph, "b")));
  const std::string text = to_string(cut);
  for (const char *line :
       {"model @m(%a", ": f32[1, 32, 24, 24]) {", "%v = random(2, he) : f32[32, 32, 3, 3]",
        " = conv2d %a", "pad=[1, 1, 1, 1] winograd=-1 : f32[1, 32, 24, 24]\n", " = add %b",
        " = relu"})
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  EXPECT_EQ(text.find("] nchw16c"), std::string::npos) << text;
  EXPECT_EQ(text.find("kernel"), std::string::npos) << text;
  EXPECT_EQ(text.find("%w ="), std::string::npos) << text;
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{"<cut>", text});
  EXPECT_TRUE(parse_module(source, diagnostics)) << diagnostics.to_string();
}

} // namespace
} // namespace cnnc
