// Every model of the tests as an ONNX file and back: the same outputs in the reference interpreter.
#include "compiler/onnx/export/export.h"
#include "ir/weights/random.h"
#include "onnx_files.h"
#include "onnx_models.h"
#include "tests/unit/elementwise_cases.h"

namespace cnnc {
namespace {

std::string exported_bytes(const Graph &graph) {
  Diagnostics diagnostics;
  std::string bytes;
  auto append = [&](std::string_view more) {
    bytes += more;
    return true;
  };
  std::optional<Constants> constants = Constants::open(graph, {}, diagnostics);
  std::optional<OnnxExport> onnx =
      constants ? OnnxExport::create(graph, *constants, diagnostics) : std::nullopt;
  EXPECT_TRUE(onnx && onnx->write_inside(append, diagnostics)) << diagnostics.to_string();
  return bytes;
}

bool is_byte(const Tensor &tensor) {
  return tensor.type().dtype == DType::u8 || tensor.type().dtype == DType::i8;
}

std::vector<Tensor> inputs_of(const Graph &graph) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Tensor tensor(with_batch(graph.type(id), 2));
    if (graph.type(id).dtype == DType::f32)
      fill_random_he(tensor.mutable_floats(), 2, inputs.size() + 1);
    for (size_t i = 0; is_byte(tensor) && i < tensor.bytes().size(); ++i)
      tensor.mutable_bytes()[i] = static_cast<std::byte>(i * 37);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

void expect_near(const Tensor &a, const Tensor &b) {
  ASSERT_EQ(a.type().shape, b.type().shape);
  ASSERT_EQ(a.type().dtype, b.type().dtype);
  if (a.type().dtype != DType::f32) {
    EXPECT_TRUE(std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin()));
    return;
  }
  for (size_t i = 0; i < a.floats().size(); ++i) {
    float x = a.floats()[i], y = b.floats()[i];
    if (x != y && !(std::isnan(x) && std::isnan(y))) {
      ASSERT_NEAR(x, y, 1e-5 * std::max(1.0F, std::abs(x))) << "element " << i;
    }
  }
}

/// Doubles are imported as floats, so that neither types nor numbers stay the same.
bool has_doubles(const Graph &graph) {
  return std::any_of(graph.values.begin(), graph.values.end(), [](const Value &value) {
    return value.type && value.type->dtype == DType::f64;
  });
}

void expect_round_trip(const Graph &graph) {
  Result<Model> model = load_onnx(exported_bytes(graph));
  EXPECT_TRUE(model) << model.error();
  if (!model)
    return;
  std::vector<Tensor> inputs = inputs_of(graph), actual = run_imported(*model, inputs);
  Diagnostics diagnostics;
  std::optional<std::vector<Tensor>> expected = run_model(graph, inputs, diagnostics);
  ASSERT_TRUE(expected) << diagnostics.to_string();
  ASSERT_EQ(actual.size(), expected->size());
  for (size_t i = 0; i < actual.size(); ++i)
    expect_near(actual[i], (*expected)[i]);
}

TEST(OnnxRoundTrip, GivesTheSameOutputs) {
  size_t checked = 0;
  for (const char *folder : {"tests/ops", "tests/onnx/Inputs"})
    for (const fs::path &file : model_files(folder))
      for (const std::string &text : models_of(file)) {
        SCOPED_TRACE(file.string());
        std::optional<Graph> graph = model_of(text);
        if (!graph || !exportable(*graph) || has_doubles(*graph))
          continue;
        expect_round_trip(*graph);
        ++checked;
      }
  EXPECT_GE(checked, 80u);
}

/// Under its name in ONNX or spelt out, and with other parameters than the defaults, which an
/// import would take for an attribute that it does not find.
TEST(OnnxRoundTrip, EveryElementwiseOpOfTheTables) {
  for (const UnaryRow &row : unary_table())
    for (bool other : {false, true}) {
      std::string op = unary_text(row, parameters_of(row, other), "%x");
      SCOPED_TRACE(op);
      std::optional<Graph> graph = model_of(fmt::format(
          "model @m(%x: {}[3, 70]) {{\n  %y = {}\n  return %y\n}}\n", name_of(row.dtype), op));
      ASSERT_TRUE(graph);
      expect_round_trip(*graph);
    }
  for (const BinaryRow &row : binary_table()) {
    SCOPED_TRACE(row.name);
    std::optional<Graph> graph = model_of(fmt::format(
        "model @m(%a: {0}[3, 70], %b: {0}[70]) {{\n  %y = {1} %a, %b\n  return %y\n}}\n",
        name_of(row.operands), row.name));
    ASSERT_TRUE(graph);
    expect_round_trip(*graph);
  }
}

TEST(OnnxRoundTrip, PositionsOfEqualElements) {
  for (const char *op : {"arg_min %r axis=1", "arg_min %r axis=1 select_last=true"}) {
    SCOPED_TRACE(op);
    std::optional<Graph> graph = model_of(fmt::format(
        "model @m(%x: f32[3, 70]) {{\n  %r = relu %x\n  %y = {}\n  return %y\n}}\n", op));
    ASSERT_TRUE(graph);
    expect_round_trip(*graph);
  }
}

} // namespace
} // namespace cnnc
