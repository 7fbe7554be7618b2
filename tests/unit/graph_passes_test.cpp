// The graph passes, text to text: each case is the model before and the model after.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/graph_passes/plan_memory.h"
#include "compiler/reference/evaluate.h"
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

TEST(EliminateDeadValues, RemovesWhatReachesNoOutput) {
  expect_becomes(eliminate_dead_values, R"(
model @m(%x: f32[1, 8], %unused: f32[4]) {
  %w = weight "w" : f32[1, 8]
  %a = relu %x : f32[1, 8]
  %b = tanh %a : f32[1, 8]
  %c = add %b, %w : f32[1, 8]
  kernel @k(%a) -> (%d) {
    %d = exp %a : f32[1, 8]
  }
  return %a
}
)",
                 R"(
model @m(%x: f32[1, 8], %unused: f32[4]) {
  %a = relu %x : f32[1, 8]
  return %a
}
)");
}

TEST(EliminateCommonValues, KeepsTheFirst) {
  expect_becomes(eliminate_common_values, R"(
model @m(%x: f32[1, 8]) {
  %v = weight "w" : f32[1, 8]
  %w = weight "w" : f32[1, 8]
  %a = add %x, %v : f32[1, 8]
  %b = add %x, %w : f32[1, 8]
  %c = leaky_relu %a alpha=0.1 : f32[1, 8]
  %d = leaky_relu %b alpha=0.2 : f32[1, 8]
  %e = leaky_relu %b alpha=0.1 : f32[1, 8]
  %f = concat %c, %d, %e axis=0 : f32[3, 8]
  return %f
}
)",
                 R"(
model @m(%x: f32[1, 8]) {
  %v = weight "w" : f32[1, 8]
  %a = add %x, %v : f32[1, 8]
  %c = leaky_relu %a alpha=0.1 : f32[1, 8]
  %d = leaky_relu %a alpha=0.2 : f32[1, 8]
  %f = concat %c, %d, %c axis=0 : f32[3, 8]
  return %f
}
)");
}

TEST(EliminateCommonValues, OutputsKeepTheirNames) {
  expect_becomes(eliminate_common_values, R"(
model @m(%x: f32[1, 8]) {
  %a = relu %x : f32[1, 8]
  %b = relu %x : f32[1, 8]
  %c = tanh %a : f32[1, 8]
  %d = tanh %b : f32[1, 8]
  return %b, %c, %d
}
)",
                 R"(
model @m(%x: f32[1, 8]) {
  %b = relu %x : f32[1, 8]
  %c = tanh %b : f32[1, 8]
  %d = tanh %b : f32[1, 8]
  return %b, %c, %d
}
)");
}

TEST(EliminateCommonValues, TypesKernelsAndPlacesTellValuesApart) {
  expect_same(eliminate_common_values, R"(
model @m(%x: f32[1, 8]) {
  %a = splat 1 : f32[1, 8]
  %b = splat 1 : f32[8]
  kernel @k(%x) -> (%c) {
    %c = relu %x : f32[1, 8]
  }
  %d = relu %x : f32[1, 8]
  %e = call "f" %x : f32[1, 8] at 0
  %f = call "f" %x : f32[1, 8] at 64
  %g = concat %a, %c, %d, %e, %f axis=0 : f32[5, 8]
  %y = add %g, %b : f32[5, 8]
  return %y
}
)");
}

TEST(Canonicalize, TakesOutOpsThatDoNothing) {
  expect_becomes(canonicalize, R"(
model @m(%x: f32[n, 8, 4, 4]) {
  %a = relu %x : f32[n, 8, 4, 4]
  %b = dropout %a : f32[n, 8, 4, 4]
  %c = transpose %b permutation=[0, 1, 2, 3] : f32[n, 8, 4, 4]
  %d = concat %c axis=1 : f32[n, 8, 4, 4]
  %e = split %d axis=1 sizes=[8] : f32[n, 8, 4, 4]
  %f = slice %e starts=[0, -4] ends=[8, 100] axes=[1, 3] : f32[n, 8, 4, 4]
  %g = pad %f before=[0, 0, 0, 0] after=[0, 0, 0, 0] : f32[n, 8, 4, 4]
  %h = clip %g : f32[n, 8, 4, 4]
  %i = reshape %h shape=[0, 8, 4, 4] : f32[n, 8, 4, 4]
  %j = relayout %i : f32[n, 8, 4, 4]
  %k = tanh %j : f32[n, 8, 4, 4]
  return %k
}
)",
                 R"(
model @m(%x: f32[n, 8, 4, 4]) {
  %a = relu %x : f32[n, 8, 4, 4]
  %k = tanh %a : f32[n, 8, 4, 4]
  return %k
}
)");
}

TEST(Canonicalize, LeavesOpsThatDoSomething) {
  expect_same(canonicalize, R"(
model @m(%x: f32[n, 8, 4, 4]) {
  %a = slice %x starts=[-1] ends=[-100] axes=[3] steps=[-1] : f32[n, 8, 4, 4]
  %b = transpose %a permutation=[0, 1, 3, 2] : f32[n, 8, 4, 4]
  %c = clip %b min=0 max=6 : f32[n, 8, 4, 4]
  %d = pad %c before=[0, 0, 1, 0] after=[0, 0, 0, 0] : f32[n, 8, 5, 4]
  %e = max_pool2d %d kernel=[2, 2] : f32[n, 8, 4, 3]
  %f = relayout %e : f32[n, 8, 4, 3] nchw8c
  return %f
}
)");
}

TEST(Canonicalize, OutputsKeepTheirNamesAndInputsStayInputs) {
  // %y takes the place of %a; nothing can stand for %z but the input, so the dropout stays; of two
  // outputs both stay.
  expect_becomes(canonicalize, R"(
model @m(%x: f32[1, 8]) {
  %a = relu %x : f32[1, 8]
  %y = dropout %a : f32[1, 8]
  %z = dropout %x : f32[1, 8]
  %v = dropout %y : f32[1, 8]
  return %y, %z, %v
}
)",
                 R"(
model @m(%x: f32[1, 8]) {
  %y = relu %x : f32[1, 8]
  %z = dropout %x : f32[1, 8]
  %v = dropout %y : f32[1, 8]
  return %y, %z, %v
}
)");
}

TEST(Canonicalize, JoinsReshapesAndTransposes) {
  expect_becomes(canonicalize, R"(
model @m(%x: f32[n, 8, 1, 6]) {
  %a = transpose %x permutation=[0, 3, 1, 2] : f32[n, 6, 8, 1]
  %b = transpose %a permutation=[0, 2, 1, 3] : f32[n, 8, 6, 1]
  %c = reshape %b shape=[0, 4, 12] : f32[n, 4, 12]
  %d = flatten %c : f32[n, 48]
  %e = transpose %x permutation=[0, 3, 2, 1] : f32[n, 6, 1, 8]
  %f = transpose %e permutation=[0, 2, 1, 3] : f32[n, 1, 6, 8]
  return %d, %f
}
)",
                 R"(
model @m(%x: f32[n, 8, 1, 6]) {
  %d = reshape %x shape=[0, 48] : f32[n, 48]
  %f = transpose %x permutation=[0, 2, 3, 1] : f32[n, 1, 6, 8]
  return %d, %f
}
)");
}

TEST(Canonicalize, PadGoesIntoTheConvolutionOrPool) {
  expect_becomes(canonicalize, R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %w = weight "w" : f32[2, 2, 3, 3]
  %p = pad %x before=[0, 0, 1, 2] after=[0, 0, 0, 1] : f32[1, 2, 7, 9]
  %c = conv2d %p, %w pad=[1, 1, 1, 1] : f32[1, 2, 7, 9]
  %q = pad %c before=[0, 0, 1, 1] after=[0, 0, 0, 0] : f32[1, 2, 8, 10]
  %a = avg_pool2d %q kernel=[2, 2] stride=[2, 2] : f32[1, 2, 4, 5]
  return %a
}
)",
                 R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %w = weight "w" : f32[2, 2, 3, 3]
  %c = conv2d %x, %w pad=[2, 3, 1, 2] : f32[1, 2, 7, 9]
  %a = avg_pool2d %c kernel=[2, 2] stride=[2, 2] pad=[1, 1, 0, 0] count_padding=true : f32[1, 2, 4, 5]
  return %a
}
)");
}

TEST(Canonicalize, PadStaysWhereItIsNotZeroOrReadTwice) {
  expect_same(canonicalize, R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %w = weight "w" : f32[2, 2, 3, 3]
  %p = pad %x before=[0, 0, 1, 1] after=[0, 0, 1, 1] value=1 : f32[1, 2, 8, 8]
  %c = conv2d %p, %w : f32[1, 2, 6, 6]
  %q = pad %x before=[0, 0, 1, 1] after=[0, 0, 1, 1] : f32[1, 2, 8, 8]
  %d = conv2d %q, %w : f32[1, 2, 6, 6]
  %e = relu %q : f32[1, 2, 8, 8]
  %r = pad %x before=[0, 0, 1, 1] after=[0, 0, 1, 1] mode=edge : f32[1, 2, 8, 8]
  %f = conv2d %r, %w : f32[1, 2, 6, 6]
  %s = pad %x before=[0, 0, 1, 1] after=[0, 0, 1, 1] : f32[1, 2, 8, 8]
  %g = avg_pool2d %s kernel=[2, 2] pad=[1, 1, 1, 1] : f32[1, 2, 9, 9]
  return %c, %d, %e, %f, %g
}
)");
}

TEST(Canonicalize, OneSpellingForReluAndGlobalPools) {
  expect_becomes(canonicalize, R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %a = clip %x min=0 : f32[1, 2, 6, 6]
  %b = reduce_mean %a axes=[-1, 2] : f32[1, 2, 1, 1]
  %c = reduce_mean %a axes=[2, 3] keep_dims=false : f32[1, 2]
  %d = avg_pool2d %a kernel=[6, 6] : f32[1, 2, 1, 1]
  %e = reduce_mean %a axes=[1, 2] : f32[1, 1, 1, 6]
  return %b, %c, %d, %e
}
)",
                 R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %a = relu %x : f32[1, 2, 6, 6]
  %b = global_avg_pool2d %a : f32[1, 2, 1, 1]
  %c.pooled = global_avg_pool2d %a : f32[1, 2, 1, 1]
  %c = reshape %c.pooled shape=[1, 2] : f32[1, 2]
  %d = global_avg_pool2d %a : f32[1, 2, 1, 1]
  %e = reduce_mean %a axes=[1, 2] : f32[1, 1, 1, 6]
  return %b, %c, %d, %e
}
)");
}

TEST(FoldBatchNorm, IntoConvolutionWithoutBias) {
  expect_becomes(fold_batch_norm, R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %w = weight "w" : f32[4, 2, 3, 3]
  %scale = weight "scale" : f32[4]
  %bias = weight "bias" : f32[4]
  %mean = weight "mean" : f32[4]
  %variance = weight "variance" : f32[4]
  %c = conv2d %x, %w : f32[1, 4, 4, 4]
  %y = batch_norm %c, %scale, %bias, %mean, %variance epsilon=0.001 : f32[1, 4, 4, 4]
  %z = relu %y : f32[1, 4, 4, 4]
  return %z
}
)",
                 R"(
model @m(%x: f32[1, 2, 6, 6]) {
  %w = weight "w" : f32[4, 2, 3, 3]
  %scale = weight "scale" : f32[4]
  %bias = weight "bias" : f32[4]
  %mean = weight "mean" : f32[4]
  %variance = weight "variance" : f32[4]
  %c.epsilon = splat 0.001 : f32[4]
  %c.variance = add %variance, %c.epsilon : f32[4]
  %c.deviation = sqrt %c.variance : f32[4]
  %c.factor = div %scale, %c.deviation : f32[4]
  %c.factor.per_filter = reshape %c.factor shape=[4, 1, 1, 1] : f32[4, 1, 1, 1]
  %c.weight.folded = mul %w, %c.factor.per_filter : f32[4, 2, 3, 3]
  %c.bias = splat 0 : f32[4]
  %c.bias.centered = sub %c.bias, %mean : f32[4]
  %c.bias.scaled = mul %c.bias.centered, %c.factor : f32[4]
  %c.bias.folded = add %c.bias.scaled, %bias : f32[4]
  %c = conv2d %x, %c.weight.folded, %c.bias.folded : f32[1, 4, 4, 4]
  %z = relu %c : f32[1, 4, 4, 4]
  return %z
}
)");
}

TEST(FoldBatchNorm, IntoLocal2dAndOutputKeepsItsName) {
  expect_becomes(fold_batch_norm, R"(
model @m(%x: f32[1, 2, 3, 3]) {
  %w = weight "w" : f32[2, 2, 4, 2, 2, 2]
  %b = weight "b" : f32[4, 2, 2]
  %s = weight "s" : f32[4]
  %c = local2d %x, %w, %b : f32[1, 4, 2, 2]
  %y = batch_norm %c, %s, %s, %s, %s : f32[1, 4, 2, 2]
  return %y
}
)",
                 R"(
model @m(%x: f32[1, 2, 3, 3]) {
  %w = weight "w" : f32[2, 2, 4, 2, 2, 2]
  %b = weight "b" : f32[4, 2, 2]
  %s = weight "s" : f32[4]
  %c.epsilon = splat 1e-05 : f32[4]
  %c.variance = add %s, %c.epsilon : f32[4]
  %c.deviation = sqrt %c.variance : f32[4]
  %c.factor = div %s, %c.deviation : f32[4]
  %c.factor.per_filter = reshape %c.factor shape=[1, 1, 4, 1, 1, 1] : f32[1, 1, 4, 1, 1, 1]
  %c.weight.folded = mul %w, %c.factor.per_filter : f32[2, 2, 4, 2, 2, 2]
  %s.per_channel = reshape %s shape=[4, 1, 1] : f32[4, 1, 1]
  %c.bias.centered = sub %b, %s.per_channel : f32[4, 2, 2]
  %c.factor.per_channel = reshape %c.factor shape=[4, 1, 1] : f32[4, 1, 1]
  %c.bias.scaled = mul %c.bias.centered, %c.factor.per_channel : f32[4, 2, 2]
  %s.per_channel.1 = reshape %s shape=[4, 1, 1] : f32[4, 1, 1]
  %c.bias.folded = add %c.bias.scaled, %s.per_channel.1 : f32[4, 2, 2]
  %y = local2d %x, %c.weight.folded, %c.bias.folded : f32[1, 4, 2, 2]
  return %y
}
)");
}

TEST(FoldBatchNorm, ScaleAndOffsetPerChannel) {
  expect_becomes(fold_batch_norm, R"(
model @m(%x: f32[1, 2, 6, 6], %v: f32[1, 8]) {
  %w = weight "w" : f32[4, 2, 3, 3]
  %s = weight "s" : f32[1, 4, 1, 1]
  %t = splat 2 : f32[]
  %c = conv2d %x, %w : f32[1, 4, 4, 4]
  %d = mul %s, %c : f32[1, 4, 4, 4]
  %e = sub %d, %t : f32[1, 4, 4, 4]
  %f = relu %e : f32[1, 4, 4, 4]
  %m = weight "m" : f32[3, 8]
  %n = weight "n" : f32[3]
  %g = dense %v, %m : f32[1, 3]
  %h = add %g, %n : f32[1, 3]
  return %f, %h
}
)",
                 R"(
model @m(%x: f32[1, 2, 6, 6], %v: f32[1, 8]) {
  %w = weight "w" : f32[4, 2, 3, 3]
  %s = weight "s" : f32[1, 4, 1, 1]
  %t = splat 2 : f32[]
  %s.vector = reshape %s shape=[4] : f32[4]
  %s.vector.per_filter = reshape %s.vector shape=[4, 1, 1, 1] : f32[4, 1, 1, 1]
  %c.weight.folded = mul %w, %s.vector.per_filter : f32[4, 2, 3, 3]
  %c.bias = splat 0 : f32[4]
  %t.vector = reshape %t shape=[1] : f32[1]
  %c.bias.folded = sub %c.bias, %t.vector : f32[4]
  %c = conv2d %x, %c.weight.folded, %c.bias.folded : f32[1, 4, 4, 4]
  %f = relu %c : f32[1, 4, 4, 4]
  %m = weight "m" : f32[3, 8]
  %n = weight "n" : f32[3]
  %h = dense %v, %m, %n : f32[1, 3]
  return %f, %h
}
)");
}

TEST(FoldBatchNorm, NothingToFoldInto) {
  // The convolution is read twice; [4] lies along the last dimension, not along the channels; the
  // filter and the other operands are not constant; the constant comes first; a slope is not
  // linear.
  expect_same(fold_batch_norm, R"(
model @m(%x: f32[1, 2, 6, 6], %w: f32[4, 2, 3, 3], %s: f32[4]) {
  %v = weight "v" : f32[4, 2, 3, 3]
  %t = weight "t" : f32[4]
  %o = splat 1 : f32[4, 1, 1]
  %a = conv2d %x, %v : f32[1, 4, 4, 4]
  %b = mul %a, %o : f32[1, 4, 4, 4]
  %c = conv2d %x, %v : f32[1, 4, 4, 4]
  %d = add %c, %t : f32[1, 4, 4, 4]
  %e = conv2d %x, %w : f32[1, 4, 4, 4]
  %f = mul %e, %o : f32[1, 4, 4, 4]
  %g = conv2d %x, %v : f32[1, 4, 4, 4]
  %h = batch_norm %g, %t, %t, %s, %t : f32[1, 4, 4, 4]
  %i = conv2d %x, %v : f32[1, 4, 4, 4]
  %j = div %o, %i : f32[1, 4, 4, 4]
  %k = conv2d %x, %v : f32[1, 4, 4, 4]
  %l = prelu %k, %o : f32[1, 4, 4, 4]
  return %a, %b, %d, %f, %h, %j, %l
}
)");
}

TEST(FoldBatchNorm, AloneBecomesMulAndAdd) {
  expect_becomes(fold_batch_norm, R"(
model @m(%x: f32[n, 4, 6, 6]) {
  %s = weight "s" : f32[4]
  %b = weight "b" : f32[4]
  %y = batch_norm %x, %s, %b, %s, %s : f32[n, 4, 6, 6]
  return %y
}
)",
                 R"(
model @m(%x: f32[n, 4, 6, 6]) {
  %s = weight "s" : f32[4]
  %b = weight "b" : f32[4]
  %y.epsilon = splat 1e-05 : f32[4]
  %y.variance = add %s, %y.epsilon : f32[4]
  %y.deviation = sqrt %y.variance : f32[4]
  %y.factor = div %s, %y.deviation : f32[4]
  %y.factor.per_channel = reshape %y.factor shape=[4, 1, 1] : f32[4, 1, 1]
  %y.scaled = mul %x, %y.factor.per_channel : f32[n, 4, 6, 6]
  %y.mean.scaled = mul %s, %y.factor : f32[4]
  %y.offset = sub %b, %y.mean.scaled : f32[4]
  %y.offset.per_channel = reshape %y.offset shape=[4, 1, 1] : f32[4, 1, 1]
  %y = add %y.scaled, %y.offset.per_channel : f32[n, 4, 6, 6]
  return %y
}
)");
}

TEST(FoldConstants, ComputesSmallOnesAndMovesSplats) {
  expect_becomes(fold_constants, R"(
model @m(%x: f32[1, 2]) {
  %a = literal [1, 4] : f32[2]
  %b = sqrt %a : f32[2]
  %c = splat 9 : f32[64, 64, 3, 3]
  %d = sqrt %c : f32[64, 64, 3, 3]
  %e = reshape %d shape=[64, -1] : f32[64, 576]
  %f = transpose %e permutation=[1, 0] : f32[576, 64]
  %g = literal [2, 3] : f32[2]
  %h = div %g, %g : f32[2]
  %i = concat %b, %h axis=0 : f32[4]
  %y = mul %x, %b : f32[1, 2]
  return %y, %f, %h, %i
}
)",
                 R"(
model @m(%x: f32[1, 2]) {
  %b = literal [1, 2] : f32[2]
  %f = splat 3 : f32[576, 64]
  %h = splat 1 : f32[2]
  %i = literal [1, 2, 1, 1] : f32[4]
  %y = mul %x, %b : f32[1, 2]
  return %y, %f, %h, %i
}
)");
}

TEST(FoldConstants, DropsNeutralElements) {
  expect_becomes(fold_constants, R"(
model @m(%x: f32[n, 2]) {
  %zero = splat 0 : f32[2]
  %one = splat 1 : f32[]
  %r = relu %x : f32[n, 2]
  %a = add %r, %zero : f32[n, 2]
  %b = mul %one, %a : f32[n, 2]
  %c = sub %b, %zero : f32[n, 2]
  %y = div %c, %one : f32[n, 2]
  return %y
}
)",
                 R"(
model @m(%x: f32[n, 2]) {
  %y = relu %x : f32[n, 2]
  return %y
}
)");
}

TEST(FoldConstants, LeavesTheRest) {
  // A broadcast to a larger shape, 0 - x, 1 / x, an input that would become an output, weights,
  // random constants, more than 64 elements, and a border of another value.
  expect_same(fold_constants, R"(
model @m(%x: f32[1, 2]) {
  %zero = splat 0 : f32[4, 2]
  %one = splat 1 : f32[1, 2]
  %none = splat 0 : f32[]
  %a = add %x, %zero : f32[4, 2]
  %b = sub %none, %x : f32[1, 2]
  %c = div %one, %x : f32[1, 2]
  %d = add %x, %none : f32[1, 2]
  %w = weight "w" : f32[2]
  %e = sqrt %w : f32[2]
  %r = random(7, he) : f32[2]
  %f = sqrt %r : f32[2]
  %g = literal [1, 2] : f32[2]
  %h = pad %g before=[70] after=[0] : f32[72]
  %i = splat 5 : f32[70]
  %j = pad %i before=[1] after=[0] : f32[71]
  return %a, %b, %c, %d, %e, %f, %h, %j
}
)");
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
