// Every op is lowered in many random shapes, attributes and layouts, its loops are run, and the
// result is compared with the reference. Operands have numbers instead of zeros in the lanes that
// blocked layouts add, because nobody may read those into an element of the result.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/tensor_layout.h"
#include "compiler/lowering/lowering.h"
#include "compiler/reference/evaluate.h"
#include "compiler/reference/run_loops.h"
#include "ir/graph/parser.h"
#include "ir/loop/parser.h"
#include "ir/loop/rewrite.h"
#include "ir/loop/verifier.h"
#include "tests/unit/elementwise_cases.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace cnnc {
namespace {

constexpr int rounds = 40; // random cases per row of the table
std::vector<float> to_floats(const std::vector<std::byte> &bytes) {
  std::vector<float> result(bytes.size() / sizeof(float));
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

std::vector<float> physical(const Tensor &tensor, const TensorType &type) {
  std::vector<std::byte> memory(static_cast<size_t>(*byte_size(type)));
  write_physical(tensor, type, memory);
  return to_floats(memory);
}

/// 1 for every element of the physical tensor that holds one of the logical, with `lanes` also for
/// the lanes that blocks add; 0 for the others.
std::vector<float> mask(TensorType type, bool lanes) {
  if (lanes)
    type.shape = loop_extents(type);
  Tensor ones(type);
  for (float &element : ones.mutable_floats())
    element = 1;
  return physical(ones, type);
}

Tensor random_tensor(const TensorType &type, Choices &choices) {
  Tensor tensor(type);
  for (float &element : tensor.mutable_floats())
    element = choices.number();
  return tensor;
}

/// The operand in its layout, with 7 in the added lanes.
std::vector<float> operand_memory(const Tensor &tensor, const TensorType &type) {
  std::vector<float> memory = physical(tensor, type);
  std::vector<float> elements = mask(type, false), lanes = mask(type, true);
  for (size_t i = 0; i < memory.size(); ++i)
    if (lanes[i] != elements[i])
      memory[i] = 7;
  return memory;
}

loop::Buffer buffer_of(const Graph &graph, ValueId id) {
  const TensorType &type = graph.type(id);
  return {"b_" + graph.value(id).name, type.dtype, physical_shape(type)};
}

/// A kernel of the one node, with the halo of its results set to zero.
std::optional<loop::Kernel> lower_node(const Graph &graph, PassContext &context) {
  const Node &node = graph.nodes.front();
  loop::Kernel kernel;
  kernel.name = "k";
  std::map<ValueId, std::string> names;
  for (ValueId id : node.operands)
    if (names.emplace(id, buffer_of(graph, id).name).second)
      kernel.inputs.push_back(buffer_of(graph, id));
  for (ValueId id : node.results) {
    names.emplace(id, buffer_of(graph, id).name);
    kernel.outputs.push_back(buffer_of(graph, id));
    for (loop::Statement &statement : zero_halo(graph.type(id), names[id]))
      kernel.body.push_back(std::move(statement));
  }
  if (!Lowering(graph, kernel, context, names).lower(node))
    return std::nullopt;
  return kernel;
}

/// The kernel, printed and read again.
std::optional<loop::Kernel> through_text(const loop::Kernel &kernel, Diagnostics &diagnostics) {
  auto source = std::make_shared<Source>(Source{"kernel", loop::to_string(kernel)});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  return loop::parse_kernel(cursor);
}

void compare(const std::vector<double> &memory, const Tensor &expected, const TensorType &type) {
  std::vector<float> values = physical(expected, type);
  std::vector<float> elements = mask(type, false), lanes = mask(type, true);
  ASSERT_EQ(memory.size(), values.size());
  for (size_t i = 0; i < memory.size(); ++i) {
    if (elements[i] == 1)
      ASSERT_NEAR(memory[i], values[i], 1e-4 + 1e-4 * std::abs(values[i])) << "at " << i;
    else if (lanes[i] == 1)
      ASSERT_TRUE(std::isfinite(memory[i])) << "added lane at " << i << " is " << memory[i];
    else
      ASSERT_EQ(memory[i], 0) << "halo at " << i;
  }
}

Graph parse_case(const Case &c, Diagnostics &diagnostics) {
  std::string text =
      fmt::format("model @m({}) {{\n  {} = {}\n  return %y\n}}\n", c.inputs, c.results, c.op);
  auto source = std::make_shared<Source>(Source{"case", text});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  std::optional<Graph> graph = parse_graph(cursor);
  PassContext context{diagnostics, {}, {}};
  EXPECT_TRUE(graph && infer_shapes(*graph, context)) << text << diagnostics.to_string();
  return graph ? std::move(*graph) : Graph();
}

/// Every loop that a schedule can speak of is in the op's vocabulary; one that counts the parts of a
/// sum is called after the loop that it cuts.
void expect_declared(const std::vector<loop::Statement> &body, const Loops &loops) {
  for (const loop::Statement &statement : body) {
    const auto *loop = std::get_if<loop::For>(&statement.node);
    if (!loop)
      continue;
    if (loop->kind == loop::LoopKind::serial && loop->extent() &&
        loop->lower[0] == loop::Index(0)) {
      const std::string &name = loop->variable;
      const std::string cut = name.ends_with(".p") ? name.substr(0, name.size() - 2) : name;
      EXPECT_TRUE(find_loop(loops, cut)) << name;
    }
    expect_declared(loop->body, loops);
  }
}

/// Without the nests that write a halo or lanes that have no channel, and nothing but zeros.
std::vector<loop::Statement> computing_nests(const loop::Kernel &kernel) {
  std::vector<loop::Statement> nests;
  for (const loop::Statement &statement : kernel.body) {
    std::vector<const loop::For *> band = loop::perfect_band(statement);
    const auto *assign =
        band.empty() ? nullptr : std::get_if<loop::Assign>(&band.back()->body.front().node);
    if (!assign || !(assign->value == loop::number(0)))
      nests.push_back(statement);
  }
  return nests;
}

/// Runs a case on the operands that `make_operand` gives.
template <class MakeOperand> void run_case(const Case &c, MakeOperand make_operand) {
  Diagnostics diagnostics;
  Graph graph = parse_case(c, diagnostics);
  ASSERT_EQ(diagnostics.to_string(), "");
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  ASSERT_TRUE(kernel) << diagnostics.to_string();
  SCOPED_TRACE(loop::to_string(*kernel));
  EXPECT_TRUE(loop::verify(*kernel, diagnostics)) << diagnostics.to_string();
  expect_declared(computing_nests(*kernel), loops_of(graph, graph.nodes.front()));
  std::optional<loop::Kernel> reread = through_text(*kernel, diagnostics);
  ASSERT_TRUE(reread) << diagnostics.to_string();
  EXPECT_EQ(reread->body, kernel->body) << loop::to_string(*reread);

  const Node &node = graph.nodes.front();
  std::map<ValueId, Tensor> tensors;
  std::vector<const Tensor *> operands;
  loop::Buffers buffers;
  for (ValueId id : node.operands) {
    const TensorType &type = graph.type(id);
    if (!tensors.count(id))
      tensors.emplace(id, make_operand(with_batch(type, 1), operands.size()));
    operands.push_back(&tensors.at(id));
    const std::vector<float> memory = operand_memory(tensors.at(id), with_batch(type, 1));
    buffers[buffer_of(graph, id).name] = {memory.begin(), memory.end()};
  }
  std::vector<TensorType> types;
  for (ValueId id : node.results)
    types.push_back(with_batch(graph.type(id), 1));
  std::optional<std::vector<Tensor>> expected = evaluate(node.op, operands, types, diagnostics);
  ASSERT_TRUE(expected) << diagnostics.to_string();

  std::string error;
  ASSERT_TRUE(loop::run_loops(*kernel, buffers, error)) << error;
  for (size_t i = 0; i < node.results.size(); ++i)
    compare(buffers[buffer_of(graph, node.results[i]).name], (*expected)[i], types[i]);
}

class LoweredOp : public testing::TestWithParam<CaseMaker> {};

TEST_P(LoweredOp, computes_what_the_reference_does) {
  for (uint32_t seed = 1; seed <= rounds; ++seed) {
    Choices choices(seed * 7919);
    Case c = GetParam().make(choices);
    SCOPED_TRACE(fmt::format("{} = {}\nwith {}", c.results, c.op, c.inputs));
    bool positive = c.op.starts_with("batch_norm"); // its variance is positive
    run_case(c, [&](const TensorType &type, size_t index) {
      Tensor tensor = random_tensor(type, choices);
      if (positive && index == 4)
        for (float &element : tensor.mutable_floats())
          element = 0.5f + std::abs(element);
      return tensor;
    });
    if (HasFatalFailure() || HasNonfatalFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, LoweredOp, testing::ValuesIn(case_makers()),
                         [](const auto &row) { return std::string(row.param.name); });

// ---- what random numbers do not show

/// The result of one op on operands with these elements, plain and with static shapes.
std::vector<float> result_of(const Case &c, const std::vector<std::vector<float>> &elements) {
  Diagnostics diagnostics;
  Graph graph = parse_case(c, diagnostics);
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  EXPECT_TRUE(kernel) << diagnostics.to_string();
  loop::Buffers buffers;
  for (size_t i = 0; i < kernel->inputs.size(); ++i)
    buffers[kernel->inputs[i].name] = {elements[i].begin(), elements[i].end()};
  std::string error;
  EXPECT_TRUE(loop::run_loops(*kernel, buffers, error)) << error;
  const std::vector<double> &result = buffers["b_y"];
  return {result.begin(), result.end()};
}

/// Ordinary numbers, jumps of ops, and what no arithmetic likes.
const std::vector<float> probes = {-100, -2.5f, -1,   -0.5f, -0.25f,   0,         0.25f,
                                   0.5f, 1,     2.5f, 100,   INFINITY, -INFINITY, NAN};

void expect_same(float computed, double formula, const std::string &what) {
  float wanted = static_cast<float>(formula);
  bool same = std::isfinite(wanted)
                  ? std::abs(computed - wanted) <= 1e-6f + 1e-5f * std::abs(wanted)
                  : computed == wanted || (std::isnan(computed) && std::isnan(wanted));
  EXPECT_TRUE(same) << what << ": " << computed << " instead of " << wanted;
}

TEST(Lowering, every_unary_op_is_its_formula_for_all_numbers) {
  for (const UnaryRow &row : unary_table()) {
    if (row.dtype != DType::f32)
      continue;
    for (bool other : {false, true}) {
      UnaryParameters parameters = parameters_of(row, other);
      std::string op = unary_text(row, parameters, "%x");
      Case c{fmt::format("%x: f32[{}]", probes.size()), op};
      std::vector<float> results = result_of(c, {probes});
      for (size_t i = 0; i < probes.size(); ++i) {
        expect_same(results[i], row.reference(probes[i], parameters),
                    fmt::format("{} of {}", op, probes[i]));
        // What blocked channels rely on.
        EXPECT_TRUE(!row.finite || !std::isfinite(probes[i]) || std::isfinite(results[i])) << op;
      }
    }
  }
}

TEST(Lowering, every_binary_op_is_its_formula_for_all_numbers) {
  for (const BinaryRow &row : binary_table()) {
    if (row.operands != DType::f32)
      continue;
    const size_t n = probes.size();
    // A slope does not make its input larger: both have all elements.
    Case c{fmt::format("%x: f32[{0}, {0}], %z: f32[{0}, {0}]", n),
           fmt::format("{} %x, %z", row.name)};
    std::vector<float> a, b;
    for (float x : probes)
      for (float z : probes) {
        a.push_back(x);
        b.push_back(z);
      }
    std::vector<float> results = result_of(c, {a, b});
    for (size_t i = 0; i < results.size(); ++i) {
      expect_same(results[i], row.reference(a[i], b[i]),
                  fmt::format("{} of {} and {}", row.name, a[i], b[i]));
      bool finite = std::isfinite(a[i]) && std::isfinite(b[i]);
      EXPECT_TRUE(!row.finite || !finite || std::isfinite(results[i])) << row.name;
    }
  }
}

std::string text_of(const Case &c) {
  Diagnostics diagnostics;
  Graph graph = parse_case(c, diagnostics);
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  return kernel ? loop::to_string(*kernel) : diagnostics.to_string();
}

TEST(Lowering, windows_that_stay_inside_have_constant_loops) {
  std::string text = text_of({"%x: f32[1, 3, 8, 8]", "max_pool2d %x kernel=[2, 2] stride=[2, 2]"});
  EXPECT_EQ(text.find("min("), std::string::npos) << text;
  EXPECT_NE(text.find("kh in 0..2"), std::string::npos) << text;
}

TEST(Lowering, windows_are_clipped_only_where_they_can_leave_the_input) {
  std::string text = text_of(
      {"%x: f32[1, 3, 8, 8]", "max_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 0, 0, 1]"});
  for (std::string_view part :
       {"oh_top in 0..1, ow in 0..3 {\n    reg m: f32\n    m = -inf\n    for kh in max(0, 1 - "
        "oh_top * "
        "2)..3, kw in 0..3",
        "oh in 0..3, ow_right in 0..1 {\n    reg m: f32\n    m = -inf\n    for kh in 0..3, kw in "
        "0..min(3, 2 - ow_right * 2)",
        "oh in 0..3, ow in 0..3 {\n    reg m: f32\n    m = -inf\n    for kh in 0..3, kw in 0..3 {"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
}

TEST(Lowering, mean_over_whole_windows_multiplies_by_a_constant) {
  std::string whole = text_of({"%x: f32[1, 3, 8, 8]", "avg_pool2d %x kernel=[2, 2]"});
  EXPECT_NE(whole.find("sum * 0.25"), std::string::npos) << whole;
  std::string padded = text_of(
      {"%x: f32[1, 3, 8, 8]", "avg_pool2d %x kernel=[2, 2] pad=[1, 1, 1, 1] count_padding=true"});
  EXPECT_NE(padded.find("sum * 0.25"), std::string::npos) << padded;
  std::string counted =
      text_of({"%x: f32[1, 3, 8, 8]", "avg_pool2d %x kernel=[2, 2] pad=[1, 1, 1, 1]"});
  EXPECT_NE(counted.find("sum / count"), std::string::npos) << counted;
}

TEST(Lowering, dilated_pools_with_padding_are_rewritten_before) {
  std::string text = text_of(
      {"%x: f32[1, 3, 8, 8]", "max_pool2d %x kernel=[2, 2] dilation=[2, 2] pad=[1, 1, 1, 1]"});
  EXPECT_NE(text.find("internal error: a dilated pool with padding"), std::string::npos) << text;
}

TEST(Lowering, constant_pads_of_two_dimensions_are_five_nests) {
  Diagnostics diagnostics;
  Graph graph = parse_case({"%x: f32[1, 3, 8, 8]", "pad %x before=[0, 0, 1, 1] after=[0, 0, 1, 1]"},
                           diagnostics);
  PassContext context{diagnostics, {}, {}};
  std::optional<loop::Kernel> kernel = lower_node(graph, context);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->body.size(), 5u) << loop::to_string(*kernel);
}

TEST(Lowering, moves_of_integers_keep_their_type) {
  std::string text = text_of({"%x: i32[2, 3]", "transpose %x permutation=[1, 0]"});
  EXPECT_NE(text.find("b_x: i32[2, 3]"), std::string::npos) << text;
  EXPECT_NE(text.find("b_y[n, c] = b_x[c, n]"), std::string::npos) << text;
}

TEST(Lowering, borders_of_integers_keep_their_type) {
  std::string text = text_of({"%x: i32[2, 3]", "pad %x before=[0, 1] after=[0, 0]"});
  EXPECT_NE(text.find("b_y: i32[2, 4]"), std::string::npos) << text;
  EXPECT_NE(text.find("b_y[n, c + 1] = b_x[n, c]"), std::string::npos) << text;
}

} // namespace
} // namespace cnnc
