// Gradients against central differences: every op in random shapes and attributes, as the random
// models of the property tests have them. What the models call random constants are inputs here, so
// that filters, scales and biases have gradients, too.
//
// The reference interpreter stores f32, which limits how small a step may be; differences of fourth
// order (step h and 2h) make up for it. Where those of two steps disagree the point is at a kink of
// the function (the edge of a relu, two equal maxima) and says nothing.
#include "ir/graph/gradients/term.h"
#include "ir/graph/printer.h"
#include "tests/unit/property_models.h"
#include "tests/unit/test_models.h"

#include <cmath>
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

/// The derivative by differences of fourth order.
double difference(Weighted &model, size_t input, int64_t at, double h) {
  auto f = [&](double step) { return model.value(input, at, step); };
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

struct Tally {
  int compared = 0, kinks = 0;
};

void compare(const std::string &random_model, uint32_t seed, Tally &tally) {
  std::set<std::string> positive;
  const std::string text = with_constants_as_inputs(random_model, positive);
  Weighted model(text, positive, seed);
  std::string differentiated;
  const std::vector<Tensor> gradients = model.gradients(differentiated);
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
      constexpr double step = 1.0 / 32;
      const double coarse = difference(model, i, at, step);
      const double fine = difference(model, i, at, step / 2);
      const double finest = difference(model, i, at, step / 4);
      if (!(std::abs(coarse - fine) < 1e-3 * largest && std::abs(fine - finest) < 1e-3 * largest)) {
        ++tally.kinks;
        continue;
      }
      ++tally.compared;
      ASSERT_NEAR(gradient.floats()[at], fine, 2e-3 * largest)
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
  EXPECT_GT(tally.compared, tally.kinks) << "too few points away from kinks";
}

std::vector<ModelMaker> makers() {
  std::vector<ModelMaker> result = op_model_makers();
  // The same ops with more elements, for the sizes of tiles.
  std::erase_if(result, [](const ModelMaker &maker) {
    return std::string_view(maker.name).starts_with("large");
  });
  return result;
}

INSTANTIATE_TEST_SUITE_P(OfOps, Gradients, testing::ValuesIn(makers()),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace cnnc
