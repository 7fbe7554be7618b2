// What must hold for every graph, on random ones: passes keep the numbers, fusion is convex, plans
// do not overlap. What a pass does to which text is in tests/graph_passes.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/memory_plan.h"
#include "compiler/layout/views.h"
#include "compiler/reference/evaluate.h"
#include "ir/graph/parser.h"
#include "ir/graph/printer.h"

#include <ctime>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace cnnc;

namespace {

using Pass = bool (*)(Graph &, PassContext &);

std::optional<Graph> parse(const std::string &text) {
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{"test.ir", text});
  std::vector<Token> tokens = tokenize(source, diagnostics);
  TokenCursor cursor(std::move(tokens), diagnostics);
  std::optional<Graph> graph = parse_graph(cursor);
  PassContext context{diagnostics, {}, {}};
  if (graph && !infer_shapes(*graph, context))
    graph.reset();
  EXPECT_TRUE(graph) << text << diagnostics.to_string();
  return graph;
}

} // namespace

TEST(PlanMemory, ValuesShareTheWorkspace) {
  std::optional<Graph> graph = parse(R"(model @m(%x: f32[1, 20]) {
  %a = softmax %x : f32[1, 20]
  %b = relu %a : f32[1, 20]
  %c = softmax %b : f32[1, 20]
  return %c
}
)");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  PassContext context{diagnostics, {}, {}};
  ASSERT_TRUE(plan_memory(*graph, context));
  EXPECT_EQ(workspace_size(*graph), 128);
}

namespace {

std::string verify(const std::string &text) {
  std::optional<Graph> graph = parse(text);
  Diagnostics diagnostics;
  EXPECT_TRUE(graph && !verify_memory_plan(*graph, diagnostics));
  std::string all = diagnostics.to_string();
  return all.substr(0, all.find('\n'));
}

std::string chain_with(std::string a, std::string b, std::string c, std::string output = "") {
  return fmt::format(R"(model @m(%x: f32[1, 20]) {{
  %a = softmax %x : f32[1, 20]{}
  %b = softmax %a : f32[1, 20]{}
  %c = flatten %b : f32[1, 20]{}
  %d = softmax %c : f32[1, 20]{}
  return %d
}}
)",
                     a, b, c, output);
}

} // namespace

TEST(VerifyMemoryPlan, FindsMisplacedParts) {
  auto joined = [](std::string parts, std::string offset, std::string output) {
    return fmt::format(R"(model @m(%x: f32[1, 20]) {{
  %a = softmax %x : f32[1, 20] at 0
  %b = softmax %x : f32[1, 20] at {}
  %c = concat {} axis=1 : f32[1, 40] at 0
  %d = softmax %c : f32[1, 40]
  return {}
}}
)",
                       offset, parts, output);
  };
  std::optional<Graph> right = parse(joined("%a, %b", "80", "%d"));
  Diagnostics none;
  EXPECT_TRUE(right && verify_memory_plan(*right, none)) << none.to_string();
  EXPECT_EQ(verify(joined("%a, %b", "128", "%d")),
            "test.ir:3:3: error: %b lies 80 bytes behind the beginning of %c, which lies at 0");
  EXPECT_EQ(verify(joined("%a, %a", "192", "%d")),
            "test.ir:4:19: error: %a cannot lie within %c as well; assign_layouts copies it");
  EXPECT_EQ(verify(joined("%x, %a", "192", "%d")),
            "test.ir:4:15: error: %x cannot lie within %c as well; assign_layouts copies it");
  EXPECT_EQ(verify(R"(model @m(%x: f32[1, 20]) {
  %a = softmax %x : f32[1, 20]
  %b, %c = split %a axis=1 sizes=[10, 10] : f32[1, 10], f32[1, 10]
  return %c
}
)"),
            "test.ir:3:7: error: the output %c is a part of %a; assign_layouts copies it");
}

TEST(VerifyMemoryPlan, FindsReadersOfWhatIsUpdated) {
  auto updated = [](std::string_view ops, std::string_view output) {
    return fmt::format(R"(model @m(%w: f32[20], %v: f32[20]) {{
{}
  return {}, %r in %w
}}
)",
                       ops, output);
  };
  const std::string wrong =
      "error: %r would be written over %w, which is still read; assign_layouts copies it";
  std::optional<Graph> right = parse(updated(R"(  %s = softmax %w axis=0 : f32[20]
  %r = add %w, %v : f32[20])",
                                             "%s"));
  Diagnostics none;
  EXPECT_TRUE(right && verify_memory_plan(*right, none)) << none.to_string();
  EXPECT_EQ(verify(updated(R"(  %r = add %w, %v : f32[20]
  %s = softmax %w axis=0 : f32[20])",
                           "%s")),
            "test.ir:4:14: " + wrong);
  EXPECT_EQ(verify(updated(R"(  %f = reshape %w shape=[4, 5] : f32[4, 5]
  %r = add %w, %v : f32[20]
  %s = softmax %f axis=0 : f32[4, 5])",
                           "%s")),
            "test.ir:5:14: " + wrong);
  EXPECT_EQ(verify(updated("  %r = softmax %w axis=0 : f32[20]", "%v")), "test.ir:3:14: " + wrong);
  EXPECT_EQ(verify(updated(R"(  kernel @k(%w, %v) -> (%r, %s) {
    %r = add %w, %v : f32[20]
    %s = mul %w, %v : f32[20]
  })",
                           "%s")),
            "test.ir:6:14: " + wrong);
}

TEST(VerifyMemoryPlan, FindsEveryMistake) {
  EXPECT_EQ(verify(chain_with(" at 0", " at 0", " at 0")),
            "test.ir:3:3: error: %b at 0 overlaps %a at 0, which is still needed");
  EXPECT_EQ(verify(chain_with(" at 0", " at 64", " at 64")),
            "test.ir:3:3: error: %b at 64 overlaps %a at 0, which is still needed");
  EXPECT_EQ(verify(chain_with(" at 0", " at 130", " at 130")),
            "test.ir:3:3: error: the offset 130 of %b is not a multiple of 64");
  EXPECT_EQ(verify(chain_with(" at -64", " at 128", " at 128")),
            "test.ir:2:3: error: the offset -64 of %a is not a multiple of 64");
  EXPECT_EQ(verify(chain_with(" at 0", "", "")),
            "test.ir:3:3: error: %b needs a place in the workspace");
  EXPECT_EQ(verify(chain_with(" at 0", " at 128", " at 0")),
            "test.ir:4:3: error: %c is a view of %b, which lies at 128");
  EXPECT_EQ(verify(chain_with(" at 0", " at 128", " at 128", " at 0")),
            "test.ir:5:3: error: %d does not lie in the workspace, but has an offset");
  EXPECT_EQ(verify(chain_with(" at 4611686018427387840", " at 128", " at 128")),
            "test.ir:2:3: error: %a ends beyond what 62 bits can count");
}

namespace {

/// A random graph of convolutions, activations, adds, pools and views with a fixed seed, as text.
std::string random_model(uint32_t seed) {
  std::mt19937 random(seed);
  auto below = [&](size_t n) { return random() % n; };
  std::string text = "model @m(%x: f32[1, 8, 4, 4]) {\n  %w = weight \"w\" : f32[8, 8, 1, 1]\n";
  std::vector<std::string> names = {"x"};
  // Halves, or all, of two joined values.
  size_t parts = 0;
  auto joined = [&](const std::string &a, const std::string &b) {
    std::string whole = fmt::format("whole{}", parts++);
    text += fmt::format("  %{} = concat %{}, %{} axis=1 : f32[1, 16, 4, 4]\n", whole, a, b);
    size_t start = below(5) * 2;
    return fmt::format("slice %{} starts=[{}] ends=[{}] axes=[1]", whole, start, start + 8);
  };
  size_t count = 4 + below(28);
  for (size_t i = 0; i < count; ++i) {
    auto pick = [&] { return names[names.size() - 1 - below(std::min<size_t>(names.size(), 5))]; };
    std::string name = fmt::format("v{}", i), a = pick(), b = pick();
    const std::string body[] = {fmt::format("conv2d %{}, %w", a),
                                fmt::format("conv2d %{}, %w", a),
                                fmt::format("relu %{}", a),
                                fmt::format("sigmoid %{}", a),
                                fmt::format("add %{}, %{}", a, b),
                                fmt::format("mul %{}, %{}", a, b),
                                fmt::format("max_pool2d %{} kernel=[1, 1]", a),
                                fmt::format("reshape %{} shape=[1, 8, 4, 4]", a),
                                joined(a, b)};
    text += fmt::format("  %{} = {} : f32[1, 8, 4, 4]\n", name, body[below(std::size(body))]);
    names.push_back(name);
  }
  text += "  return %" + names.back();
  if (below(2))
    text += ", %" + names[names.size() / 2 + 1];
  return text + "\n}\n";
}

void check_fusion(const Graph &graph, const Graph &before) {
  EXPECT_EQ(graph.nodes.size(), before.nodes.size());
  for (const Node &node : graph.nodes)
    EXPECT_EQ(node.kernel == no_id, graph.is_constant(node.results[0]) || is_view(graph, node));
  std::vector<std::vector<NodeId>> members = kernel_members(graph);
  std::vector<KernelInterface> interfaces = kernel_interfaces(graph);
  for (KernelId kernel = 0; kernel < graph.kernels.size(); ++kernel) {
    size_t anchors = 0;
    for (NodeId id : members[kernel])
      anchors += std::holds_alternative<Conv2d>(graph.nodes[id].op);
    EXPECT_LE(anchors, 1u);
    // One value leaves the kernel; the members stand together, so the text order is an order of
    // execution.
    EXPECT_EQ(interfaces[kernel].outputs.size(), 1u);
    EXPECT_EQ(members[kernel].back() - members[kernel].front() + 1, members[kernel].size());
  }
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    for (ValueId operand : graph.nodes[id].operands)
      EXPECT_TRUE(graph.is_input(operand) || graph.values[operand].producer < id);
}

/// Executes the plan in words: each step reads its operands and writes its results into a map from
/// bytes to the value that was written there last.
void check_plan(const Graph &graph) {
  std::vector<Place> places = places_of_values(graph);
  // What each element of the workspace holds: an element of a root.
  using Element = std::pair<ValueId, size_t>;
  std::vector<Element> memory(static_cast<size_t>(workspace_size(graph)) / 4, Element{no_id, 0});
  auto for_each_element = [&](ValueId id, auto &&visit) {
    if (!graph.values[id].offset)
      return;
    auto begin = static_cast<size_t>(*graph.values[id].offset) / 4;
    auto first = static_cast<size_t>(places[id].offset) / 4;
    for (size_t i = 0; i < static_cast<size_t>(*byte_size(graph.type(id))) / 4; ++i)
      visit(memory[begin + i], Element{places[id].root, first + i});
  };
  std::vector<std::vector<NodeId>> steps;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (graph.is_constant(node.results[0]) || is_view(graph, node))
      continue;
    if (!steps.empty() && graph.nodes[steps.back()[0]].kernel == node.kernel)
      steps.back().push_back(id);
    else
      steps.push_back({id});
  }
  for (const std::vector<NodeId> &step : steps) {
    for (NodeId id : step)
      for (ValueId operand : graph.nodes[id].operands)
        for_each_element(operand, [&](Element &held, Element wanted) {
          EXPECT_EQ(held, wanted) << graph.values[operand].name;
        });
    for (NodeId id : step)
      for_each_element(graph.nodes[id].results[0],
                       [](Element &held, Element written) { held = written; });
  }
}

} // namespace

TEST(ChooseSchedule, TilesFollowThePropertiesOfTheMachine) {
  auto tile = [](const Machine &machine) {
    std::optional<Graph> graph = parse(R"(model @m(%x: f32[1, 64, 14, 14]) {
  %w = weight "w" : f32[128, 64, 3, 3]
  %c = conv2d %x, %w pad=[1, 1, 1, 1] winograd=-1 : f32[1, 128, 14, 14]
  return %c
}
)");
    Diagnostics diagnostics;
    PassContext context{diagnostics, machine, {}};
    EXPECT_TRUE(graph && fuse_kernels(*graph, context) && assign_layouts(*graph, context) &&
                choose_schedule(*graph, context));
    for (const KernelGroup &kernel : graph->kernels)
      if (kernel.name == "c")
        return to_string(kernel.schedule);
    return std::string();
  };
  EXPECT_NE(tile({}).find("tile=[oc:16, oh:2, ow:14]"), std::string::npos) << tile({});
  // 32 registers alone do not make a tile of 28 accumulators.
  Machine narrow{.vector_lanes = 4, .tile_registers = 24, .wide_tiles = false};
  EXPECT_NE(tile(narrow).find("tile=[oc:4, ow:14]"), std::string::npos) << tile(narrow);
}

TEST(RandomGraphs, FusionIsConvexAndPlansDoNotOverlap) {
  size_t fused = 0, saved = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::optional<Graph> graph = parse(random_model(seed));
    ASSERT_TRUE(graph);
    Graph before = *graph;
    Diagnostics diagnostics;
    int64_t sum = 0;
    Machine machine;
    machine.vector_lanes = seed % 2 ? 8 : 16;
    PassContext context{diagnostics, machine, {}};
    ASSERT_TRUE(fuse_kernels(*graph, context));
    check_fusion(*graph, before);
    ASSERT_TRUE(assign_layouts(*graph, context));
    ASSERT_TRUE(plan_memory(*graph, context)) << diagnostics.to_string() << to_string(*graph);
    check_plan(*graph);
    std::optional<Graph> again = parse(to_string(*graph));
    ASSERT_TRUE(again);
    EXPECT_EQ(to_string(*graph), to_string(*again));
    for (const Value &value : graph->values)
      sum += value.offset ? *byte_size(*value.type) : 0;
    fused += graph->kernels.size() < graph->nodes.size() - 1;
    saved += workspace_size(*graph) < sum;
    if (HasFailure())
      FAIL() << "seed " << seed << "\n" << to_string(*graph);
  }
  EXPECT_GT(fused, 200u);
  EXPECT_GT(saved, 150u);
}

namespace {

std::optional<Tensor> constant_value(const Graph &graph, ValueId id, Diagnostics &diagnostics) {
  const Node &node = graph.nodes[graph.values[id].producer];
  std::vector<Tensor> operands;
  std::vector<const Tensor *> pointers;
  for (ValueId operand : node.operands)
    operands.push_back(constant_value(graph, operand, diagnostics).value());
  for (const Tensor &operand : operands)
    pointers.push_back(&operand);
  std::optional<std::vector<Tensor>> results =
      evaluate(node.op, pointers, {graph.type(id)}, diagnostics);
  return results ? std::optional(results->front()) : std::nullopt;
}

std::vector<Tensor> outputs_of(const Graph &graph) {
  std::vector<Tensor> inputs;
  std::mt19937 random(1);
  for (ValueId input : graph.inputs) {
    inputs.emplace_back(graph.type(input));
    for (float &element : inputs.back().mutable_floats())
      element = static_cast<float>(random() % 2001) / 1000 - 1;
  }
  Diagnostics diagnostics;
  auto constants = [&](ValueId id, Diagnostics &d) { return constant_value(graph, id, d); };
  auto outputs = interpret(graph, inputs, constants, diagnostics);
  EXPECT_TRUE(outputs) << diagnostics.to_string();
  return outputs.value_or(std::vector<Tensor>{});
}

} // namespace

TEST(AllPasses, KeepTheNumbers) {
  std::optional<Graph> graph = parse(R"(model @m(%x: f32[2, 4, 7, 6]) {
  %w = random(1, he) : f32[6, 2, 3, 3]
  %b = random(2, uniform) : f32[6]
  %s = random(3, uniform) : f32[6]
  %t = random(4, uniform) : f32[6]
  %m = random(5, uniform) : f32[6]
  %v = random(6, uniform) : f32[6]
  %p = pad %x before=[0, 0, 1, 0] after=[0, 0, 0, 2]
  %c = conv2d %p, %w, %b groups=2 pad=[0, 1, 1, 0]
  %n = batch_norm %c, %s, %t, %m, %v epsilon=0.01
  %q = reshape %s shape=[6, 1, 1]
  %o = mul %q, %n
  %k = div %o, %q
  %h = splat 0.5 : f32[]
  %i = sub %k, %h
  %r = clip %i min=0
  %l = random(7, he) : f32[3, 2, 6, 6, 3, 3]
  %g = max_pool2d %r kernel=[2, 2] stride=[2, 2]
  %d = local2d %g, %l pad=[1, 1, 1, 2] stride=[1, 2]
  %e = batch_norm %d, %s, %t, %m, %v
  %z = pad %e before=[0, 0, 1, 1] after=[0, 0, 0, 0]
  %a = avg_pool2d %z kernel=[2, 2]
  %u = batch_norm %a, %s, %t, %m, %v
  %j = transpose %u permutation=[0, 2, 1, 3]
  %f = transpose %j permutation=[0, 1, 3, 2]
  %aa = reduce_mean %f axes=[2, 3] keep_dims=false
  %ab = random(8, he) : f32[6, 3]
  %ac = dense %aa, %ab
  %ad = batch_norm %ac, %s, %t, %m, %v
  %ae = dropout %ad
  return %ae, %f
}
)");
  ASSERT_TRUE(graph);
  std::vector<Tensor> expected = outputs_of(*graph);
  Diagnostics diagnostics;
  PassContext context{diagnostics, {}, {}};
  for (Pass pass : {canonicalize, fold_batch_norm, fold_constants, eliminate_dead_values,
                    eliminate_common_values, fuse_kernels, plan_memory}) {
    ASSERT_TRUE(pass(*graph, context)) << diagnostics.to_string();
    std::vector<Tensor> actual = outputs_of(*graph);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(actual[i].shape(), expected[i].shape());
      for (size_t k = 0; k < expected[i].floats().size(); ++k)
        ASSERT_NEAR(actual[i].floats()[k], expected[i].floats()[k], 1e-4) << to_string(*graph);
    }
  }
  size_t norms = 0;
  for (const Node &node : graph->nodes)
    norms += std::holds_alternative<BatchNorm>(node.op) || std::holds_alternative<Pad>(node.op);
  EXPECT_EQ(norms, 0u) << to_string(*graph);
}

/// Names are looked up, not compared with all others: four times as many kernels take four times as
/// long, not sixteen times.
TEST(Kernels, AreAddedInLinearTime) {
  auto ticks = [](int count) {
    std::clock_t least = std::numeric_limits<std::clock_t>::max();
    for (int round = 0; round < 3; ++round) {
      Graph graph;
      const std::clock_t begin = std::clock();
      for (int i = 0; i < count; ++i)
        graph.add_kernel("kernel" + std::to_string(i));
      least = std::min(least, std::clock() - begin);
      EXPECT_EQ(graph.kernels[graph.add_kernel("kernel7")].name, "kernel7.1");
    }
    return least;
  };
  EXPECT_LT(ticks(20000), 8 * ticks(5000));
}
