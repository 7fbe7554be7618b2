// The graph passes, text to text: each case is the model before and the model after.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/graph_passes/plan_memory.h"
#include "ir/graph/parser.h"
#include "ir/graph/printer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
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

/// What stands between `model @m(...) {` and `}`, through the pass; twice, since passes are
/// idempotent, and once more from the printed text, since every text compiles when fed back.
std::string run(Pass pass, const std::string &text) {
  std::optional<Graph> graph = parse(text);
  if (!graph)
    return "";
  Diagnostics diagnostics;
  PassContext context{diagnostics, {}, {}};
  if (!pass(*graph, context))
    return diagnostics.to_string();
  std::string once = to_string(*graph);
  EXPECT_TRUE(pass(*graph, context)) << diagnostics.to_string();
  EXPECT_EQ(once, to_string(*graph)) << "not idempotent";
  std::optional<Graph> again = parse(once);
  EXPECT_TRUE(again && pass(*again, context)) << diagnostics.to_string();
  if (again) {
    EXPECT_EQ(once, to_string(*again)) << "differs when fed back as text";
  }
  return once;
}

void expect_becomes(Pass pass, const std::string &before, const std::string &after) {
  EXPECT_EQ(run(pass, before.substr(1)), after.substr(1));
}

void expect_same(Pass pass, const std::string &text) { expect_becomes(pass, text, text); }

} // namespace

TEST(FuseKernels, ConvolutionTakesResidualAddActivationAndPool) {
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 3, 3]
  %b = weight "b" : f32[8]
  %c = conv2d %x, %w, %b pad=[1, 1, 1, 1] : f32[1, 8, 6, 6]
  %s = add %c, %x : f32[1, 8, 6, 6]
  %r = relu %s : f32[1, 8, 6, 6]
  %p = max_pool2d %r kernel=[2, 2] stride=[2, 2] : f32[1, 8, 3, 3]
  %t = tanh %p : f32[1, 8, 3, 3]
  return %t
}
)",
                 R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 3, 3]
  %b = weight "b" : f32[8]
  kernel @c(%x, %w, %b) -> (%t) {
    %c = conv2d %x, %w, %b pad=[1, 1, 1, 1] : f32[1, 8, 6, 6]
    %s = add %c, %x : f32[1, 8, 6, 6]
    %r = relu %s : f32[1, 8, 6, 6]
    %p = max_pool2d %r kernel=[2, 2] stride=[2, 2] : f32[1, 8, 3, 3]
    %t = tanh %p : f32[1, 8, 3, 3]
  }
  return %t
}
)");
}

TEST(FuseKernels, LastProducerTakesTheResidualAdd) {
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  %v = weight "v" : f32[8, 8, 1, 1]
  %a = conv2d %x, %w : f32[1, 8, 6, 6]
  %b = conv2d %x, %v : f32[1, 8, 6, 6]
  %s = add %a, %b : f32[1, 8, 6, 6]
  %r = relu %s : f32[1, 8, 6, 6]
  return %r
}
)",
                 R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  %v = weight "v" : f32[8, 8, 1, 1]
  kernel @a(%x, %w) -> (%a) {
    %a = conv2d %x, %w : f32[1, 8, 6, 6]
  }
  kernel @b(%x, %v, %a) -> (%r) {
    %b = conv2d %x, %v : f32[1, 8, 6, 6]
    %s = add %a, %b : f32[1, 8, 6, 6]
    %r = relu %s : f32[1, 8, 6, 6]
  }
  return %r
}
)");
}

TEST(FuseKernels, DiamondOfElementwiseOpsJoinsAsAWhole) {
  // The sigmoid alone does not post-dominate the convolution, the mul does.
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  %a = conv2d %x, %w : f32[1, 8, 6, 6]
  %s = sigmoid %a : f32[1, 8, 6, 6]
  %m = mul %a, %s : f32[1, 8, 6, 6]
  return %m
}
)",
                 R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  kernel @a(%x, %w) -> (%m) {
    %a = conv2d %x, %w : f32[1, 8, 6, 6]
    %s = sigmoid %a : f32[1, 8, 6, 6]
    %m = mul %a, %s : f32[1, 8, 6, 6]
  }
  return %m
}
)");
}

TEST(FuseKernels, ValueReadOutsideEndsTheGroup) {
  // %a is an output, %r is read by %b and %s. The pool overlaps, and the view stays outside.
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  %a = conv2d %x, %w : f32[1, 8, 6, 6]
  %r = relu %a : f32[1, 8, 6, 6]
  %b = conv2d %r, %w : f32[1, 8, 6, 6]
  %s = add %b, %r : f32[1, 8, 6, 6]
  %p = max_pool2d %s kernel=[3, 3] stride=[3, 3] : f32[1, 8, 2, 2]
  %q = relu %p : f32[1, 8, 2, 2]
  %f = flatten %q : f32[1, 32]
  %y = softmax %f : f32[1, 32]
  return %y, %a
}
)",
                 R"(
model @m(%x: f32[1, 8, 6, 6]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  kernel @a(%x, %w) -> (%a) {
    %a = conv2d %x, %w : f32[1, 8, 6, 6]
  }
  kernel @r(%a) -> (%r) {
    %r = relu %a : f32[1, 8, 6, 6]
  }
  kernel @b(%r, %w) -> (%s) {
    %b = conv2d %r, %w : f32[1, 8, 6, 6]
    %s = add %b, %r : f32[1, 8, 6, 6]
  }
  kernel @p(%s) -> (%q) {
    %p = max_pool2d %s kernel=[3, 3] stride=[3, 3] : f32[1, 8, 2, 2]
    %q = relu %p : f32[1, 8, 2, 2]
  }
  %f = flatten %q : f32[1, 32]
  kernel @y(%f) -> (%y) {
    %y = softmax %f : f32[1, 32]
  }
  return %y, %a
}
)");
}

TEST(FuseKernels, BroadcastThatGrowsTheResultStaysOutside) {
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 8, 6, 6], %z: f32[1, 8, 1, 1]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  %a = conv2d %z, %w : f32[1, 8, 1, 1]
  %s = mul %a, %x : f32[1, 8, 6, 6]
  %t = add %s, %z : f32[1, 8, 6, 6]
  return %t
}
)",
                 R"(
model @m(%x: f32[1, 8, 6, 6], %z: f32[1, 8, 1, 1]) {
  %w = weight "w" : f32[8, 8, 1, 1]
  kernel @a(%z, %w) -> (%a) {
    %a = conv2d %z, %w : f32[1, 8, 1, 1]
  }
  kernel @t(%a, %x, %z) -> (%t) {
    %s = mul %a, %x : f32[1, 8, 6, 6]
    %t = add %s, %z : f32[1, 8, 6, 6]
  }
  return %t
}
)");
}

TEST(FuseKernels, KernelNamesArePlainAndUnique) {
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 4]) {
  %"conv/1" = softmax %x : f32[1, 4]
  %"conv:1" = softmax %"conv/1" : f32[1, 4]
  return %"conv:1"
}
)",
                 R"(
model @m(%x: f32[1, 4]) {
  kernel @conv_1(%x) -> (%"conv/1") {
    %"conv/1" = softmax %x : f32[1, 4]
  }
  kernel @conv_1.1(%"conv/1") -> (%"conv:1") {
    %"conv:1" = softmax %"conv/1" : f32[1, 4]
  }
  return %"conv:1"
}
)");
}

TEST(FuseKernels, LeavesKernelsOfTheTextAlone) {
  expect_becomes(fuse_kernels, R"(
model @m(%x: f32[1, 8, 6, 6]) {
  kernel @mine(%x) -> (%a) {
    %a = relu %x : f32[1, 8, 6, 6]
  }
  %b = relu %a : f32[1, 8, 6, 6]
  return %b
}
)",
                 R"(
model @m(%x: f32[1, 8, 6, 6]) {
  kernel @mine(%x) -> (%a) {
    %a = relu %x : f32[1, 8, 6, 6]
  }
  kernel @b(%a) -> (%b) {
    %b = relu %a : f32[1, 8, 6, 6]
  }
  return %b
}
)");
}

TEST(PlanMemory, SharesBytesWorksInPlaceAndFollowsViews) {
  expect_becomes(plan_memory, R"(
model @m(%x: f32[1, 8, 4, 4]) {
  %a = max_pool2d %x kernel=[1, 1] : f32[1, 8, 4, 4]
  %b = max_pool2d %a kernel=[1, 1] : f32[1, 8, 4, 4]
  %c = relu %b : f32[1, 8, 4, 4]
  %d = flatten %c : f32[1, 128]
  %e = softmax %d : f32[1, 128]
  return %e
}
)",
                 R"(
model @m(%x: f32[1, 8, 4, 4]) {
  %a = max_pool2d %x kernel=[1, 1] : f32[1, 8, 4, 4] at 0
  %b = max_pool2d %a kernel=[1, 1] : f32[1, 8, 4, 4] at 512
  %c = relu %b : f32[1, 8, 4, 4] at 512
  %d = flatten %c : f32[1, 128] at 512
  %e = softmax %d : f32[1, 128]
  return %e
}
)");
}

TEST(PlanMemory, OperandReadLaterIsNotOverwritten) {
  expect_becomes(plan_memory, R"(
model @m(%x: f32[1, 20]) {
  %a = softmax %x : f32[1, 20]
  %b = relu %a : f32[1, 20]
  %c = softmax %b : f32[1, 20]
  %d = add %c, %a : f32[1, 20]
  %v = reshape %d shape=[20] : f32[20]
  %e = softmax %v axis=0 : f32[20]
  return %e
}
)",
                 R"(
model @m(%x: f32[1, 20]) {
  %a = softmax %x : f32[1, 20] at 0
  %b = relu %a : f32[1, 20] at 128
  %c = softmax %b : f32[1, 20] at 256
  %d = add %c, %a : f32[1, 20] at 256
  %v = reshape %d shape=[20] : f32[20] at 256
  %e = softmax %v axis=0 : f32[20]
  return %e
}
)");
}

TEST(PlanMemory, BroadcastOperandIsNotOverwritten) {
  std::string text = run(plan_memory, R"(model @m(%x: f32[4], %z: f32[8, 4]) {
  %a = softmax %x : f32[4]
  %b = relu %z : f32[8, 4]
  %c = add %a, %b : f32[8, 4]
  %d = softmax %c : f32[8, 4]
  return %d
}
)");
  EXPECT_NE(text.find("%a = softmax %x : f32[4] at 128"), std::string::npos) << text;
  EXPECT_NE(text.find("%c = add %a, %b : f32[8, 4] at 0"), std::string::npos) << text;
}

TEST(PlanMemory, InputsOutputsAndConstantsHaveNoPlace) {
  expect_same(plan_memory, R"(
model @m(%x: f32[1, 20]) {
  %w = weight "w" : f32[10]
  %v = reshape %w shape=[1, 10] : f32[1, 10]
  %f = reshape %x shape=[20] : f32[20]
  %y = softmax %f axis=0 : f32[20]
  %g = reshape %y shape=[1, 20] : f32[1, 20]
  return %g
}
)");
}

TEST(PlanMemory, ValuesInsideOfKernelsHaveNoPlace) {
  expect_becomes(plan_memory, R"(
model @m(%x: f32[1, 20]) {
  kernel @a(%x) -> (%b) {
    %a = relu %x : f32[1, 20]
    %b = tanh %a : f32[1, 20]
  }
  kernel @c(%b) -> (%c) {
    %c = softmax %b : f32[1, 20]
  }
  return %c
}
)",
                 R"(
model @m(%x: f32[1, 20]) {
  kernel @a(%x) -> (%b) {
    %a = relu %x : f32[1, 20]
    %b = tanh %a : f32[1, 20] at 0
  }
  kernel @c(%b) -> (%c) {
    %c = softmax %b : f32[1, 20]
  }
  return %c
}
)");
}

TEST(PlanMemory, PlanOfCallsIsKept) {
  // %b was planned in place of %a when its kernel was still visible.
  expect_same(plan_memory, R"(
model @m(%x: f32[1, 20]) {
  %a = call "a" %x : f32[1, 20] at 128
  %b = call "b" %a : f32[1, 20] at 128
  %c = call "c" %b : f32[1, 20] at 0
  %d = call "d" %c : f32[1, 20]
  return %d
}
)");
}

TEST(PlanMemory, CallsWithoutPlanAreNeverInPlace) {
  std::string text = run(plan_memory, R"(model @m(%x: f32[1, 20]) {
  %a = call "a" %x : f32[1, 20]
  %b = call "b" %a : f32[1, 20]
  %c = call "c" %b : f32[1, 20]
  return %c
}
)");
  EXPECT_NE(text.find("%a = call \"a\" %x : f32[1, 20] at 0"), std::string::npos) << text;
  EXPECT_NE(text.find("%b = call \"b\" %a : f32[1, 20] at 128"), std::string::npos) << text;
}

TEST(PlanMemory, RemarkTellsTheSize) {
  std::optional<Graph> graph = parse(R"(model @m(%x: f32[1, 20]) {
  %a = softmax %x : f32[1, 20]
  %b = relu %a : f32[1, 20]
  %c = softmax %b : f32[1, 20]
  return %c
}
)");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  std::string remark;
  PassContext context{diagnostics, {}, [&](std::string text) { remark += text; }};
  ASSERT_TRUE(plan_memory(*graph, context));
  EXPECT_EQ(remark, "workspace: 128 bytes (sum of all values: 256)");
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
                                fmt::format("reshape %{} shape=[1, 8, 4, 4]", a)};
    text += fmt::format("  %{} = {} : f32[1, 8, 4, 4]\n", name, body[below(std::size(body))]);
    names.push_back(name);
  }
  text += "  return %" + names.back();
  if (below(2))
    text += ", %" + names[names.size() / 2 + 1];
  return text + "\n}\n";
}

void check_fusion(const Graph &graph, const Graph &before) {
  std::vector<bool> constant = graph.constant_values();
  EXPECT_EQ(graph.nodes.size(), before.nodes.size());
  for (const Node &node : graph.nodes)
    EXPECT_EQ(node.kernel == no_id, constant[node.results[0]] || is_view(graph, node));
  std::vector<std::vector<NodeId>> members = kernel_members(graph);
  for (KernelId kernel = 0; kernel < graph.kernels.size(); ++kernel) {
    size_t anchors = 0;
    for (NodeId id : members[kernel])
      anchors += std::holds_alternative<Conv2d>(graph.nodes[id].op);
    EXPECT_LE(anchors, 1u);
    // One value leaves the kernel; the members stand together, so the text order is an order of
    // execution.
    EXPECT_EQ(interface_of(graph, kernel).outputs.size(), 1u);
    EXPECT_EQ(members[kernel].back() - members[kernel].front() + 1, members[kernel].size());
  }
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    for (ValueId operand : graph.nodes[id].operands)
      EXPECT_TRUE(graph.is_input(operand) || graph.values[operand].producer < id);
}

/// Executes the plan in words: each step reads its operands and writes its results into a map from
/// bytes to the value that was written there last.
void check_plan(const Graph &graph) {
  std::vector<bool> constant = graph.constant_values();
  std::vector<ValueId> memory(static_cast<size_t>(workspace_size(graph)) / 64, no_id);
  auto cells = [&](ValueId id) {
    auto begin = static_cast<size_t>(*graph.values[id].offset) / 64;
    auto count = static_cast<size_t>(*byte_size(graph.type(id)) + 63) / 64;
    return std::pair(begin, begin + count);
  };
  std::vector<std::vector<NodeId>> steps;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (constant[node.results[0]] || is_view(graph, node))
      continue;
    if (!steps.empty() && graph.nodes[steps.back()[0]].kernel == node.kernel)
      steps.back().push_back(id);
    else
      steps.push_back({id});
  }
  for (const std::vector<NodeId> &step : steps) {
    for (NodeId id : step)
      for (ValueId operand : graph.nodes[id].operands) {
        ValueId root = storage_root(graph, operand);
        if (!graph.values[root].offset)
          continue;
        auto [begin, end] = cells(root);
        for (size_t cell = begin; cell < end; ++cell)
          EXPECT_EQ(memory[cell], root) << graph.values[operand].name << "\n" << to_string(graph);
      }
    for (NodeId id : step)
      if (ValueId result = graph.nodes[id].results[0]; graph.values[result].offset) {
        auto [begin, end] = cells(result);
        std::fill(memory.begin() + static_cast<long>(begin),
                  memory.begin() + static_cast<long>(end), result);
      }
  }
}

} // namespace

TEST(RandomGraphs, FusionIsConvexAndPlansDoNotOverlap) {
  size_t fused = 0, saved = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::optional<Graph> graph = parse(random_model(seed));
    ASSERT_TRUE(graph);
    Graph before = *graph;
    Diagnostics diagnostics;
    int64_t sum = 0;
    PassContext context{diagnostics, {}, {}};
    ASSERT_TRUE(fuse_kernels(*graph, context));
    check_fusion(*graph, before);
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
