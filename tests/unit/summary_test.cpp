// The table of --summary against numbers from textbooks, and receptive fields against hand counts.
#include "compiler/analysis/both_ways.h"
#include "compiler/analysis/cost.h"
#include "compiler/analysis/receptive_field.h"
#include "compiler/analysis/summary.h"
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace cnnc {
namespace {

Graph inferred(std::string_view text) {
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

/// The line of the table that begins with this word.
std::string line(const std::string &table, std::string_view word) {
  size_t begin = table.find("\n" + std::string(word) + " ");
  return begin == std::string::npos
             ? ""
             : table.substr(begin + 1, table.find('\n', begin + 1) - begin - 1);
}

TEST(summary, six_filters_of_5x5_on_an_image_of_32x32x3) {
  std::string table = summary(inferred(R"(model @m(%x: f32[1, 3, 32, 32]) {
  %w = random(1, he) : f32[6, 3, 5, 5]
  %b = splat 0 : f32[6]
  %c = conv2d %x, %w, %b
  return %c
})"));
  EXPECT_EQ(line(table, "c"),
            "c      conv2d  f32[1, 6, 28, 28]         456          352,800         "
            "       5       1      0  18,816")
      << table;
  EXPECT_NE(table.find("bytes of weights 1,824 (1.82 k)"), std::string::npos) << table;
}

/// VGG-16 (configuration D of Simonyan and Zisserman 2014).
std::string vgg16() {
  std::string text = "model @vgg16(%x: f32[n, 3, 224, 224]) {\n";
  std::string value = "x";
  int64_t ic = 3;
  int layer = 0, stage = 0;
  auto weights = [&](std::string_view op, std::string_view filter, int64_t oc) {
    ++layer;
    text += fmt::format("%w{0} = random({0}, he) : f32[{1}]\n%b{0} = splat 0 : f32[{2}]\n"
                        "%c{0} = {3} %{4}, %w{0}, %b{0}{5}\n",
                        layer, filter, oc, op, value, op == "conv2d" ? " pad=[1, 1, 1, 1]" : "");
    value = fmt::format("c{}", layer);
  };
  for (std::vector<int64_t> channels : std::vector<std::vector<int64_t>>{
           {64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}}) {
    for (int64_t oc : channels) {
      weights("conv2d", fmt::format("{}, {}, 3, 3", oc, ic), oc);
      ic = oc;
    }
    text += fmt::format("%p{} = max_pool2d %{} kernel=[2, 2] stride=[2, 2]\n", ++stage, value);
    value = fmt::format("p{}", stage);
  }
  text += "%f = flatten %p5\n";
  value = "f";
  ic = 512 * 7 * 7;
  for (int64_t oc : {4096, 4096, 1000}) {
    weights("dense", fmt::format("{}, {}", oc, ic), oc);
    ic = oc;
  }
  return text + "return %c16\n}\n";
}

TEST(summary, vgg16) {
  std::string table = summary(inferred(vgg16()));
  EXPECT_NE(table.find("parameters       138,357,544 (138.36 M)"), std::string::npos) << table;
  EXPECT_NE(table.find("multiplications  15,470,264,320 (15.47 G)"), std::string::npos) << table;
  // Receptive field of the last pool, as in the literature: 212 pixels, 32 apart.
  EXPECT_NE(line(table, "p5").find(" 212      32    -90 "), std::string::npos) << table;
  EXPECT_NE(line(table, "c14").find(" all "), std::string::npos) << table;
}

TEST(summary, shared_weights_count_once_in_the_totals) {
  std::string table = summary(inferred(R"(model @m(%x: f32[1, 10]) {
  %w = random(1, he) : f32[10, 10]
  %a = dense %x, %w
  %b = dense %a, %w
  return %b
})"));
  EXPECT_NE(line(table, "b").find(" 100 "), std::string::npos) << table;
  EXPECT_NE(table.find("\nparameters       100\n"), std::string::npos) << table;
  EXPECT_NE(table.find("\nmultiplications  200\n"), std::string::npos) << table;
}

TEST(summary, rows_for_all_parts_of_a_split_and_none_for_constants) {
  std::string table = summary(inferred(R"(model @m(%x: f32[n, 4, 8, 8]) {
  %k = splat 2 : f32[4, 1, 1]
  %k2 = exp %k
  %m = mul %x, %k2
  %s, %t = split %m axis=1 sizes=[1, 3]
  return %s, %t
})"));
  EXPECT_EQ(line(table, "k2"), "") << table;
  EXPECT_NE(line(table, "m").find(" 4 "), std::string::npos) << table;
  EXPECT_NE(line(table, "t").find("f32[n, 3, 8, 8]           -"), std::string::npos) << table;
  EXPECT_NE(table.find("of one image"), std::string::npos) << table;
}

TEST(cost, of_grouped_and_local_convolutions) {
  Graph graph = inferred(R"(model @m(%x: f32[2, 4, 8, 8]) {
  %w = random(1, he) : f32[8, 1, 3, 3]
  %g = conv2d %x, %w groups=4
  %l = random(2, he) : f32[6, 6, 2, 4, 3, 3]
  %b = splat 0 : f32[2, 6, 6]
  %p = local2d %x, %l, %b
  %s = random(3, uniform) : f32[4]
  %n = batch_norm %x, %s, %s, %s, %s
  %two = literal [2] : f32[1]
  %half = splat 0.5 : f32[4, 1, 1]
  %d = mul %n, %two
  %e = mul %d, %half
  %slopes = random(4, uniform) : f32[4, 1, 1]
  %f = mul %e, %slopes
  return %g, %p, %f
})");
  auto cost = [&](std::string_view name) {
    const Node &node = graph.nodes[graph.value(*graph.find_value(name)).producer];
    return std::pair{parameters(graph, parameter_operands(graph, node)),
                     multiplications(graph, node)};
  };
  EXPECT_EQ(cost("g"), (std::pair<int64_t, int64_t>{72, 2 * 8 * 6 * 6 * 9}));
  EXPECT_EQ(cost("p"), (std::pair<int64_t, int64_t>{36 * 2 * 4 * 9 + 72, 2 * 2 * 36 * 4 * 9}));
  EXPECT_EQ(cost("n"), (std::pair<int64_t, int64_t>{8, 0})) << "scale and bias";
  EXPECT_EQ(cost("d").first + cost("e").first, 0) << "numbers of the text are not learned";
  EXPECT_EQ(cost("f").first, 4);
}

TEST(both_ways, what_leads_to_the_first_output_is_forward) {
  Graph graph = inferred(R"(model @m(%x: f32[4, 8], %w: f32[8, 8]) {
  %a = matmul %x, %w
  %b = reshape %a shape=[8, 4]
  %c = relu %b
  %s = exp %x
  %loss = reduce_sum %c axes=[0, 1] keep_dims=false
  %g = exp %b
  %h = mul %a, %x
  %next = sub %w, %w
  return %loss, %g, %h, %next in %w
})");
  const std::vector<bool> forward = way_forward(graph);
  std::string names;
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    if (forward[id])
      names += graph.value(graph.nodes[id].results[0]).name + " ";
  EXPECT_EQ(names, "a b c loss ");
  EXPECT_EQ(bytes_kept(graph, forward), 4 * 8 * 4) << "%a, of which %b is a view; not %x";
  EXPECT_EQ(bytes_of_state(graph), 8 * 8 * 4);
  EXPECT_EQ(parameters(graph, parameter_operands(graph, graph.nodes[0])), 64) << "%w is updated";
}

class Fields : public testing::Test {
protected:
  /// The fields after these statements, which define %y from an image of 64 x 48.
  ReceptiveField field(std::string_view statements) {
    Graph graph = inferred(fmt::format(R"(model @m(%x: f32[1, 4, 64, 48]) {{
  %w = random(1, he) : f32[4, 4, 3, 3]
  %v = random(1, he) : f32[4, 4, 1, 5]
  {}
  return %y
}})",
                                       statements));
    std::optional<ReceptiveField> result = receptive_fields(graph)[*graph.find_value("y")];
    EXPECT_TRUE(result.has_value()) << statements;
    return result.value_or(ReceptiveField{});
  }
};

TEST_F(Fields, of_convolutions) {
  EXPECT_EQ(
      field(
          "%a = conv2d %x, %w stride=[2, 1] pad=[1, 1, 1, 1]\n%y = conv2d %a, %w dilation=[1, 2]"),
      (ReceptiveField{{{7, 2, -1}, {7, 1, -1}}}));
  EXPECT_EQ(field("%y = conv2d %x, %v pad=[0, 2, 0, 2]"),
            (ReceptiveField{{{1, 1, 0}, {5, 1, -2}}}));
}

TEST_F(Fields, of_joins) {
  EXPECT_EQ(field("%a = conv2d %x, %w pad=[1, 1, 1, 1]\n%y = add %x, %a"),
            (ReceptiveField{{{3, 1, -1}, {3, 1, -1}}}));
  EXPECT_EQ(field("%a = pad %x before=[0, 0, 2, 0] after=[0, 0, 0, 0]\n"
                  "%s = slice %a starts=[0] ends=[64] axes=[2]\n%y = sub %x, %s"),
            (ReceptiveField{{{3, 1, -2}, {1, 1, 0}}}))
      << "an element and the one two rows above";
}

TEST_F(Fields, of_ops_that_see_everything) {
  EXPECT_TRUE(field("%g = global_avg_pool2d %x\n%y = mul %x, %g")[0].whole);
  ReceptiveField mean = field("%y = reduce_mean %x axes=[3]");
  EXPECT_FALSE(mean[0].whole);
  EXPECT_TRUE(mean[1].whole);
}

TEST_F(Fields, of_moved_elements) {
  EXPECT_EQ(field("%a = max_pool2d %x kernel=[2, 2] stride=[2, 2]\n"
                  "%y = slice %a starts=[3, -1] ends=[9, 0] axes=[2, 3] steps=[2, -1]"),
            (ReceptiveField{{{2, 4, 6}, {2, -2, 46}}}));
  EXPECT_EQ(field("%z, %y = split %x axis=2 sizes=[10, 54]")[0], (AxisField{1, 1, 10}));
  EXPECT_EQ(field("%a = conv2d %x, %w\n%y = flatten %a")[0], (AxisField{3, 0, 0}));
}

TEST(receptive_field, only_of_images) {
  Graph graph = inferred("model @m(%x: f32[2, 8]) {\n%y = relu %x\nreturn %y }");
  EXPECT_FALSE(receptive_fields(graph)[1].has_value());
}

} // namespace
} // namespace cnnc
