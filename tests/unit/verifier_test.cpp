// Every rule of the graph verifier is broken once by hand.
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/parser.h"
#include "ir/graph/verifier.h"

#include <gtest/gtest.h>

namespace cnnc {
namespace {

Graph valid_graph() {
  constexpr std::string_view text = R"(model @m(%x: f32[1, 3, 8, 8]) {
  %w = random(1, he) : f32[4, 3, 3, 3]
  kernel @k(%x, %w) -> (%r) {
    %c = conv2d %x, %w
    %r = relu %c
  }
  kernel @l(%r) -> (%p, %q) {
    %p, %q = split %r axis=1 sizes=[1, 3]
  }
  return %p, %q
})";
  Diagnostics diagnostics;
  auto source = std::make_shared<Source>(Source{"test.ir", std::string(text)});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  std::optional<Graph> graph = parse_graph(cursor);
  PassContext context{diagnostics, {}, {}};
  if (graph)
    infer_shapes(*graph, context);
  EXPECT_EQ(diagnostics.to_string(), "");
  return graph ? *graph : Graph{};
}

// Ids as the parser numbers them: values x w c r p q, nodes random conv2d relu split.
constexpr ValueId w = 1, c = 2, r = 3, p = 4;
constexpr NodeId conv = 1, relu = 2, split = 3;

struct Breakage {
  std::string_view name;
  void (*apply)(Graph &);
  std::string_view message;
};

class Broken : public testing::TestWithParam<Breakage> {};

TEST_P(Broken, is_reported) {
  Graph graph = valid_graph();
  GetParam().apply(graph);
  Diagnostics diagnostics;
  EXPECT_FALSE(verify(graph, diagnostics, "some_pass"));
  std::string errors = diagnostics.to_string();
  EXPECT_NE(errors.find("internal error after some_pass: "), std::string::npos) << errors;
  EXPECT_NE(errors.find(GetParam().message), std::string::npos) << errors;
}

const Breakage breakages[] = {
    {"operand_id", [](Graph &g) { g.nodes[relu].operands[0] = 99; },
     "operand 99 is not one of the 6 values"},
    {"result_id", [](Graph &g) { g.nodes[relu].results[0] = no_id; }, "result 4294967295 is not"},
    {"output_id", [](Graph &g) { g.outputs.push_back(6); }, "output 6 is not"},
    {"input_id", [](Graph &g) { g.inputs.push_back(6); }, "input 6 is not"},
    {"kernel_id", [](Graph &g) { g.nodes[relu].kernel = 2; }, "kernel 2 is not one of the 2"},
    {"no_result", [](Graph &g) { g.nodes[split].results.clear(); }, "split has no result"},
    {"producer", [](Graph &g) { g.values[r].producer = conv; }, "%r does not know its producer"},
    {"unknown_reader", [](Graph &g) { g.values[c].users.clear(); },
     "%c does not know that %r = relu reads it"},
    {"former_reader", [](Graph &g) { g.values[c].users.push_back(split); },
     "%c has 1 readers, but knows 2"},
    {"unknown_name", [](Graph &g) { g.values[r].name = "other"; },
     "the graph does not know the name %other"},
    {"former_name",
     [](Graph &g) {
       g.values.pop_back();
       g.nodes[split].results.pop_back();
       std::get<Split>(g.nodes[split].op).sizes = {4};
       g.outputs.pop_back();
     },
     "the graph knows names that no value has"},
    {"constant", [](Graph &g) { g.values[r].constant = true; },
     "%r does not know whether it is constant"},
    {"produced_input", [](Graph &g) { g.inputs.push_back(w); },
     "%w is an input, but has a producer"},
    {"two_definitions", [](Graph &g) { g.nodes[relu].results[0] = c; }, "%c is defined 2 times"},
    {"orphan", [](Graph &g) { g.add_value("lost", std::nullopt); }, "%lost is defined 0 times"},
    {"same_name", [](Graph &g) { g.values[r].name = "c"; }, "two values have the name %c"},
    {"no_name", [](Graph &g) { g.values[r].name = ""; }, "a value has no name"},
    {"same_kernel_name", [](Graph &g) { g.kernels[1].name = "k"; }, "two kernels have the name @k"},
    {"no_kernel_name", [](Graph &g) { g.kernels[1].name = ""; }, "a kernel has no name"},
    {"missing_operand", [](Graph &g) { g.nodes[conv].operands.pop_back(); }, "%c = conv2d has 1"},
    {"extra_operand", [](Graph &g) { g.nodes[relu].operands.push_back(w); }, "%r = relu has 2"},
    {"own_result", [](Graph &g) { g.nodes[relu].operands[0] = r; },
     "%r = relu reads %r before its definition"},
    {"later_result", [](Graph &g) { g.nodes[conv].operands[0] = p; },
     "%c = conv2d reads %p before its definition"},
    {"kernel_apart",
     [](Graph &g) {
       g.nodes[split].kernel = 0;
       g.nodes[relu].kernel = 1;
     },
     "%p = split stands apart from the other ops of its kernel @k"},
    {"kernel_around_others",
     [](Graph &g) {
       g.nodes[split].kernel = 0;
       g.nodes[relu].kernel = no_id;
     },
     "%p = split stands apart"},
    {"kernel_without_ops", [](Graph &g) { g.nodes[split].kernel = no_id; },
     "the kernel @l has no ops"},
    {"block_axis",
     [](Graph &g) {
       g.values[r].type->layout.blocks = {{4, 16}};
     },
     "%r has a block of 16 in dimension 4 of 4"},
    {"block_size",
     [](Graph &g) {
       g.values[r].type->layout.blocks = {{1, 0}};
     },
     "%r has a block of 0 in dimension 1"},
    {"halo_value",
     [](Graph &g) {
       g.values[r].type->layout = {{{1, 4}}, {1, 1, 1, 1}, 0, 3};
     },
     "%r has a halo of 3, which is no number of f32"},
    {"halo",
     [](Graph &g) {
       g.values[r].type->layout.halo = {0, -1, 0, 0};
     },
     "%r has a halo"},
    {"offset", [](Graph &g) { g.values[r].offset = -64; }, "the offset -64 of %r is negative"},
    {"type", [](Graph &g) { g.values[r].type->shape[3] = 7; },
     "%r is f32[1, 4, 6, 7], but by its operands it is f32[1, 4, 6, 6]"},
    {"attribute", [](Graph &g) { std::get<Conv2d>(g.nodes[conv].op).groups = 2; },
     "%c = conv2d: 2 groups do not divide the 3 input channels"},
    {"result_count", [](Graph &g) { std::get<Split>(g.nodes[split].op).sizes = {4}; },
     "%p = split: 2 results instead of 1"},
};
INSTANTIATE_TEST_SUITE_P(verifier, Broken, testing::ValuesIn(breakages),
                         [](const auto &row) { return std::string(row.param.name); });

TEST(verifier, accepts_a_right_graph) {
  Diagnostics diagnostics;
  EXPECT_TRUE(verify(valid_graph(), diagnostics, "some_pass")) << diagnostics.to_string();
}

TEST(verifier, layouts_are_no_part_of_agreement) {
  Graph graph = valid_graph();
  graph.values[r].type->layout = {{{1, 4}}, {1, 1, 1, 1}};
  Diagnostics diagnostics;
  EXPECT_TRUE(verify(graph, diagnostics, "some_pass")) << diagnostics.to_string();
}

TEST(verifier, speaks_of_the_text_when_no_pass_has_run) {
  Graph graph = valid_graph();
  graph.nodes[split].kernel = no_id;
  Diagnostics diagnostics;
  EXPECT_FALSE(verify(graph, diagnostics));
  EXPECT_EQ(diagnostics.to_string().rfind("test.ir:7:10: error: the kernel @l has no ops\n", 0), 0u)
      << diagnostics.to_string();
}

} // namespace
} // namespace cnnc
