// Gradients against central differences: every op in random shapes and attributes, as the random
// models of the property tests have them. What the models call random constants are inputs here, so
// that filters, scales and biases have gradients, too.
//
// The reference interpreter stores f32, which limits how small a step may be; differences of fourth
// order make up for it. At a kink of the function (the edge of a relu, two equal maxima) the
// differences to either side disagree, near one those of two steps, and the point says nothing.
#include "ir/graph/gradients/term.h"
#include "ir/graph/printer.h"
#include "tests/unit/elementwise_cases.h"
#include "tests/unit/property_models.h"
#include "tests/unit/test_models.h"

#include <cmath>
#include <map>
#include <set>
#include <sstream>

namespace cnnc {
namespace {

/// The text with `%w = random(..) : type` as inputs, of which scales and variances are called
/// positive.
std::string with_constants_as_inputs(const std::string &text, std::set<std::string> &positive) {
  std::istringstream lines(text);
  std::string line, head, body, inputs;
  std::getline(lines, head);
  while (std::getline(lines, line)) {
    const size_t random = line.find(" = random("), type = line.rfind(" : ");
    if (random == std::string::npos)
      body += line + "\n";
    else
      inputs += ", " + line.substr(line.find('%'), random - line.find('%')) + ": " +
                line.substr(type + 3);
    if (random != std::string::npos && line.find("uniform") != std::string::npos)
      positive.insert(line.substr(line.find('%') + 1, random - line.find('%') - 1));
  }
  head.insert(head.rfind(')'), head.find("()") == std::string::npos ? inputs : inputs.substr(2));
  return head + "\n" + body;
}

/// The sum of all elements of all outputs of f32, each times a number of its own: as a function of
/// the inputs, and as a model that differentiates itself.
class Weighted {
public:
  Weighted(const std::string &text, const std::set<std::string> &positive, uint32_t seed)
      : choices_(seed) {
    std::optional<Graph> graph = model_of(text);
    if (!graph)
      return;
    forward_ = std::move(*graph);
    for (ValueId input : forward_.inputs)
      inputs_.push_back(
          random(forward_.type(input), positive.contains(forward_.value(input).name)));
    for (ValueId output : forward_.outputs)
      factors_.push_back(random(forward_.type(output), false));
  }

  std::set<std::string> ops() const {
    std::set<std::string> result;
    for (const Node &node : forward_.nodes)
      result.insert(info_of(node.op).name);
    return result;
  }

  size_t input_count() const { return inputs_.size(); }
  const Tensor &input(size_t index) const { return inputs_[index]; }

  /// In double, with element `at` of an input moved.
  double value(size_t input, int64_t at, double step) {
    std::vector<Tensor> moved = inputs_;
    Tensor copy(moved[input].type());
    std::ranges::copy(moved[input].floats(), copy.mutable_floats().begin());
    copy.mutable_floats()[at] = static_cast<float>(copy.floats()[at] + step);
    moved[input] = copy;
    Diagnostics diagnostics;
    auto outputs = run_model(forward_, moved, diagnostics);
    EXPECT_TRUE(outputs) << diagnostics.to_string();
    double sum = 0;
    for (size_t i = 0; outputs && i < outputs->size(); ++i)
      if ((*outputs)[i].type().dtype == DType::f32)
        for (int64_t k = 0; k < (*outputs)[i].count(); ++k)
          sum += double((*outputs)[i].floats()[k]) * factors_[i].floats()[k];
    return sum;
  }

  /// The gradients of all inputs of f32.
  std::vector<Tensor> gradients(std::string &text) {
    if (std::ranges::none_of(forward_.outputs, [&](ValueId output) {
          return forward_.type(output).dtype == DType::f32;
        }))
      return {}; // positions alone
    Graph graph = forward_;
    std::vector<Tensor> inputs = inputs_;
    Term loss = 0;
    GradientRequest request;
    for (ValueId input : forward_.inputs)
      if (forward_.type(input).dtype == DType::f32)
        request.of.push_back(forward_.value(input).name);
    for (size_t i = 0; i < forward_.outputs.size(); ++i) {
      const Term y(graph, graph.outputs[i]);
      if (y.type().dtype != DType::f32)
        continue;
      const ValueId factor = graph.add_value(fmt::format("factor{}", i), y.type());
      graph.inputs.push_back(factor);
      inputs.push_back(factors_[i]);
      loss = loss + reshape(sum(y * Term(graph, factor), range(0, y.rank())), {});
    }
    graph.outputs = {loss.id()};
    graph.output_ranges.clear();
    Diagnostics diagnostics;
    PassContext context{diagnostics};
    context.gradients = request;
    EXPECT_TRUE(differentiate(graph, context)) << diagnostics.to_string();
    text = cnnc::to_string(graph);
    auto outputs = run_model(graph, inputs, diagnostics);
    EXPECT_TRUE(outputs) << diagnostics.to_string() << text;
    if (!outputs)
      return {};
    outputs->erase(outputs->begin());
    return std::move(*outputs);
  }

private:
  Tensor random(TensorType type, bool positive) {
    Tensor result(std::move(type));
    if (result.type().dtype == DType::f32)
      for (float &element : result.mutable_floats())
        element = positive ? 1 + choices_.number() / 8 : choices_.number() / 2;
    return result;
  }

  Choices choices_;
  Graph forward_;
  std::vector<Tensor> inputs_, factors_;
};

/// Of the largest element of a gradient. Differences alone are off by up to half of it.
constexpr double tolerance = 2e-4;

/// The derivative by differences of fourth order; empty near a kink of the function, where those to
/// either side differ, or those of one step and of half of it.
std::optional<double> difference(Weighted &model, size_t input, int64_t at, double precision) {
  auto f = [&](double step) { return model.value(input, at, step); };
  auto central = [&](double h) { return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h); };
  auto to_one_side = [&](double h) { return (4 * f(h) - 3 * f(0) - f(2 * h)) / (2 * h); };
  const double result = central(1.0 / 64);
  if (!(std::abs(to_one_side(1.0 / 256) - to_one_side(-1.0 / 256)) < 2 * precision) ||
      !(std::abs(central(1.0 / 32) - result) < precision))
    return std::nullopt;
  return result;
}

/// Of some models: points compared, points at kinks, and of each op the largest error of a model that
/// has it, relative to the largest element of the gradient.
struct Tally {
  int compared = 0, kinks = 0;
  std::map<std::string, double> errors;

  void add(const std::set<std::string> &ops, double error) {
    ++compared;
    for (const std::string &op : ops)
      errors[op] = std::max(errors[op], error);
  }
  /// For tests/training/torch_ops.py.
  void report() const {
    for (const auto &[op, error] : errors)
      testing::Test::RecordProperty("error_of_" + op, fmt::format("{:.1e}", error));
  }
};

void compare(const std::string &random_model, uint32_t seed, Tally &tally) {
  std::set<std::string> positive;
  const std::string text = with_constants_as_inputs(random_model, positive);
  Weighted model(text, positive, seed);
  std::string differentiated;
  const std::vector<Tensor> gradients = model.gradients(differentiated);
  if (gradients.empty())
    return;
  Choices choices(seed);
  size_t next = 0;
  for (size_t i = 0; i < model.input_count(); ++i) {
    if (model.input(i).type().dtype != DType::f32)
      continue;
    ASSERT_LT(next, gradients.size());
    const Tensor &gradient = gradients[next++];
    ASSERT_EQ(gradient.shape(), model.input(i).shape());
    double largest = 1;
    for (float element : gradient.floats())
      largest = std::max<double>(largest, std::abs(element));
    for (int samples = 0; samples < 4; ++samples) {
      const int64_t at = choices.between(0, gradient.count() - 1);
      const std::optional<double> expected = difference(model, i, at, tolerance * largest);
      if (!expected) {
        ++tally.kinks;
        continue;
      }
      tally.add(model.ops(), std::abs(gradient.floats()[at] - *expected) / largest);
      ASSERT_NEAR(gradient.floats()[at], *expected, tolerance * largest)
          << "input " << i << ", element " << at << "\n"
          << text << differentiated;
    }
  }
}

class Gradients : public testing::TestWithParam<ModelMaker> {};

TEST_P(Gradients, AreThoseOfCentralDifferences) {
  constexpr uint32_t models = 12;
  Tally tally;
  for (uint32_t seed = 1; seed <= models && !HasFatalFailure(); ++seed) {
    Choices choices(seed);
    compare(GetParam().make(choices), seed, tally);
  }
  tally.report();
  EXPECT_GT(tally.compared, tally.kinks) << "too few points away from kinks";
}

std::vector<ModelMaker> makers() {
  std::vector<ModelMaker> result = op_model_makers();
  std::erase_if(result, [](const ModelMaker &maker) {
    const std::string_view name = maker.name;
    // The same ops with more elements, for sizes of tiles and Winograd; whole numbers, whose steps look like a
    // slope; elements that max_unpool2d puts to one place, each of which gets its gradient.
    // Positions alone, which are no numbers to add up.
    return name.starts_with("large") || name == "winograd_conv2d" || name == "cast" ||
           name == "max_pool2d_indices" || name == "arg";
  });
  return result;
}

/// Models that the property tests do not have.
TEST(GradientsOf, OpsOfTraining) {
  Tally tally;
  for (const char *text : {
           "model @m(%x: f32[3, 5], %t: f32[3, 5]) {\n"
           "  %y = mean_squared_error %x, %t\n  return %y\n}\n",
           "model @m(%x: f32[3, 5], %t: f32[3, 5]) {\n"
           "  %y = binary_cross_entropy %x, %t\n  return %y\n}\n",
           "model @m(%x: f32[4, 6]) {\n  %labels = literal [5, 0, 3, 3] : i64[4]\n"
           "  %y = cross_entropy %x, %labels\n  return %y\n}\n",
           "model @m(%x: f32[4, 6]) {\n  %labels = literal [5, 9, -1, 3] : i64[4]\n"
           "  %y = cross_entropy %x, %labels label_smoothing=0.3\n  return %y\n}\n",
           "model @m(%x: f32[3, 4, 2, 5], %s: f32[4], %b: f32[4], %m: f32[4], %v: f32[4]) {\n"
           "  %y, %n, %w = batch_norm %x, %s, %b, %m, %v statistics=batch\n  return %y\n}\n",
           "model @m(%x: f32[6, 4], %s: f32[4], %b: f32[4], %m: f32[4], %v: f32[4]) {\n"
           "  %y, %n, %w = batch_norm %x, %s, %b, %m, %v statistics=batch epsilon=0.1\n"
           "  return %y\n}\n",
           "model @m(%x: f32[2, 3, 6, 7]) {\n"
           "  %y, %at = max_pool2d_indices %x kernel=[3, 2] stride=[2, 1] pad=[1, 0, 1, 1]\n"
           "  return %y\n}\n",
           "model @m(%x: f32[2, 3, 6, 7]) {\n"
           "  %y, %at = max_pool2d_indices %x kernel=[3, 2] column_major=true\n  return %y\n}\n",
           "model @m(%x: f32[2, 3, 6, 8]) {\n"
           "  %p, %at = max_pool2d_indices %x kernel=[2, 2] stride=[2, 2]\n"
           "  %y = max_unpool2d %p, %at shape=[2, 3, 6, 8]\n  return %y\n}\n",
       })
    for (uint32_t seed = 1; seed <= 3; ++seed)
      compare(text, seed, tally);
  tally.report();
  EXPECT_GT(tally.compared, 3 * tally.kinks);
}

TEST(GradientsOf, RowsOfOneOperand) {
  Tally tally;
  for (const UnaryRow &row : unary_table())
    for (bool other : {false, true}) {
      if (row.dtype != DType::f32)
        continue;
      // Where a row is not defined below 0, what it gets is positive.
      const bool positive = row.name == "log" || row.name == "sqrt" || row.name == "reciprocal";
      const std::string x = positive ? "%p" : "%x";
      compare(fmt::format("model @m(%x: f32[40]) {{\n  %p = softplus %x\n  %y = {}\n"
                          "  return %y\n}}\n",
                          unary_text(row, parameters_of(row, other), x)),
              7, tally);
    }
  tally.report();
  EXPECT_GT(tally.compared, 5 * tally.kinks);
}

TEST(GradientsOf, RowsOfTwoOperands) {
  Tally tally;
  for (const BinaryRow &row : binary_table()) {
    if (row.result != DType::f32)
      continue;
    for (const char *shapes : {"%x: f32[4, 5], %z: f32[4, 5]", "%x: f32[2, 4, 5], %z: f32[4, 1]"})
      compare(fmt::format("model @m({}) {{\n  %p = softplus %x\n  %q = softplus %z\n"
                          "  %y = {} {}, %q\n  return %y\n}}\n",
                          shapes, row.name, row.name == "pow" ? "%p" : "%x"),
              5, tally);
  }
  tally.report();
  EXPECT_GT(tally.compared, 5 * tally.kinks);
}

/// The gradient of the sum of `op` at one number.
float slope(const std::string &op, float x, float z = 0) {
  std::optional<Graph> graph = model_of(
      fmt::format("model @m(%x: f32[1], %z: f32[1]) {{\n  %y = {}\n  return %y\n}}\n", op));
  Diagnostics diagnostics;
  PassContext context{diagnostics};
  context.gradients.of = {"x"};
  if (!graph || !differentiate(*graph, context))
    return NAN;
  auto outputs = run_model(*graph, {tensor_of({1}, {x}), tensor_of({1}, {z})}, diagnostics);
  return outputs ? outputs->back().floats()[0] : NAN;
}

/// ir/README.md, "Gradients".
TEST(GradientsOf, KinksAreAsTheDocumentationSays) {
  EXPECT_EQ(slope("relu %x", 0), 0);
  EXPECT_EQ(slope("leaky_relu %x alpha=0.25", 0), 0.25F);
  EXPECT_EQ(slope("abs %x", 0), 0);
  EXPECT_EQ(slope("clip %x min=-1 max=2", -1), 1);
  EXPECT_EQ(slope("clip %x min=-1 max=2", 2), 1);
  EXPECT_EQ(slope("hard_sigmoid %x alpha=0.25", 2), 0);
  EXPECT_EQ(slope("max %x, %z", 3, 3), 0.5F);
  EXPECT_EQ(slope("min %x, %z", 3, 3), 0.5F);
  EXPECT_EQ(slope("floor %x", 2.5F), 0);
  EXPECT_EQ(slope("pow %z, %x", 2, -3), 0);
}

TEST(GradientsOf, MaximaGoToTheFirstOfEqualOnesAndAddUp) {
  std::optional<Graph> graph = model_of(R"(
    model @m(%x: f32[1, 1, 3, 3]) {
      %y = max_pool2d %x kernel=[2, 2]
      %sum = reduce_sum %y axes=[0, 1, 2, 3] keep_dims=false
      return %sum
    })");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  PassContext context{diagnostics};
  context.gradients.of = {"x"};
  ASSERT_TRUE(differentiate(*graph, context)) << diagnostics.to_string();
  auto outputs =
      run_model(*graph, {tensor_of({1, 1, 3, 3}, {1, 5, 5, 0, 5, 2, 5, 1, 5})}, diagnostics);
  ASSERT_TRUE(outputs) << diagnostics.to_string();
  EXPECT_EQ(values_of(outputs->back()), (std::vector<float>{0, 2, 0, 0, 2, 0, 0, 0, 0}));
}

INSTANTIATE_TEST_SUITE_P(OfOps, Gradients, testing::ValuesIn(makers()),
                         [](const auto &maker) { return std::string(maker.param.name); });

} // namespace
} // namespace cnnc
