// Values of constants: weights files, conversions, expressions, mistakes.
#include "compiler/api/session.h"
#include "compiler/constants/constants.h"
#include "compiler/program/write_weights.h"
#include "tests/unit/test_files.h"
#include "tests/unit/test_models.h"

namespace cnnc {
namespace {

using Floats = std::vector<float>;

class ConstantsTest : public InFolder {
protected:
  /// Writes a tensor with these bytes into the weights file.
  void add(std::string name, std::string dtype, std::vector<int64_t> shape, std::string data) {
    data_.push_back(std::make_unique<std::string>(std::move(data)));
    tensors_.push_back(
        {std::move(name), std::move(dtype), std::move(shape), bytes_of(*data_.back())});
    ASSERT_TRUE(write_safetensors(file(), tensors_, diagnostics_)) << diagnostics_.to_string();
  }
  fs::path file() const { return folder_ / "m.safetensors"; }

  std::optional<Constants> open(const std::optional<Graph> &graph) {
    return Constants::open(*graph, {nullptr, {file()}}, diagnostics_);
  }
  Tensor value(const Constants &constants, const Graph &graph, std::string_view name) {
    auto tensor = constants.value(graph, *graph.find_value(name), diagnostics_);
    EXPECT_TRUE(tensor) << diagnostics_.to_string();
    return tensor.value_or(Tensor());
  }
  void expect_error(std::string_view part) {
    EXPECT_NE(diagnostics_.to_string().find(part), std::string::npos) << part << " is not in\n"
                                                                      << diagnostics_.to_string();
  }

private:
  std::vector<SafetensorsTensor> tensors_;
  std::vector<std::unique_ptr<std::string>> data_;
};

std::string model(const std::string &body) {
  return "model @m(%x: f32[2]) {\n" + body + "\nreturn %x\n}";
}

TEST_F(ConstantsTest, WeightsConvertToTheirType) {
  add("a", "F32", {2}, raw<float>({1.5f, -2}));
  add("b", "F64", {2}, raw<double>({1.5, -2}));
  add("c", "F16", {2}, raw<uint16_t>({0x3e00, 0xc000}));
  add("d", "BF16", {2}, raw<uint16_t>({0x3fc0, 0xc000}));
  add("e", "I64", {1, 2}, raw<int64_t>({3, -4}));
  add("f", "U8", {3}, raw<uint8_t>({3, 4, 5}));
  auto graph = model_of(model(R"(
    %a = weight "a" : f32[2]
    %b = weight "b" : f32[2]
    %c = weight "c" : f32[2]
    %d = weight "d" : f32[2]
    %e = weight "e" : i64[1, 2]
    %f = weight "f" : u8[3])"));
  auto constants = open(graph);
  ASSERT_TRUE(constants) << diagnostics_.to_string();
  for (const char *name : {"a", "b", "c", "d"}) {
    EXPECT_EQ(values_of(value(*constants, *graph, name)), (Floats{1.5f, -2})) << name;
    const auto bytes = constants->bytes_of(*graph, *graph->find_value(name), diagnostics_);
    ASSERT_TRUE(bytes) << diagnostics_.to_string();
    EXPECT_EQ(values_of(*bytes), (Floats{1.5f, -2})) << name;
  }
  EXPECT_EQ(value(*constants, *graph, "e").elements<int64_t>()[1], -4);
  EXPECT_EQ(value(*constants, *graph, "f").elements<uint8_t>()[2], 5);
}

TEST_F(ConstantsTest, PlainWeightsAreNotCopied) {
  add("a", "F32", {2}, raw<float>({1, 2}));
  auto graph = model_of(model("%a = weight \"a\" : f32[2]"));
  auto constants = open(graph);
  ASSERT_TRUE(constants) << diagnostics_.to_string();
  EXPECT_EQ(value(*constants, *graph, "a").bytes().data(),
            value(*constants, *graph, "a").bytes().data());
}

TEST_F(ConstantsTest, ExpressionsOfConstants) {
  add("a", "F32", {2}, raw<float>({1, 2}));
  auto graph = model_of(model(R"(
    %a = weight "a" : f32[2]
    %s = splat 3 : f32[1]
    %b = mul %a, %s
    %y = add %x, %b
    %c = sub %b, %a
    %d = mul %c, %c
    %p, %q = split %d axis=0 sizes=[1, 1])"));
  auto constants = open(graph);
  ASSERT_TRUE(constants) << diagnostics_.to_string();
  EXPECT_EQ(values_of(value(*constants, *graph, "b")), (Floats{3, 6}));
  EXPECT_EQ(values_of(value(*constants, *graph, "d")), (Floats{4, 16}));
  EXPECT_EQ(values_of(value(*constants, *graph, "q")), (Floats{16}));
}

TEST_F(ConstantsTest, AChainThatDoublesItsUsesIsEvaluatedOnce) {
  std::string body = "%c0 = splat 1 : f32[1]\n";
  for (int i = 0; i < 100; ++i) // 2^100 readings of %c0 by naive recursion
    body += fmt::format("%c{} = add %c{}, %c{}\n", i + 1, i, i);
  auto graph = model_of(model(body));
  auto constants = open(graph);
  ASSERT_TRUE(constants);
  EXPECT_EQ(values_of(value(*constants, *graph, "c100")), (Floats{0x1p100f}));
}

TEST_F(ConstantsTest, AllWrongWeightsAreReportedInOneRun) {
  add("conv1.weight", "F32", {2}, raw<float>({1, 2}));
  add("index", "I64", {1}, raw<int64_t>({1}));
  auto graph = model_of(model(R"(
    %a = weight "conv1.wieght" : f32[2]
    %b = weight "conv1.weight" : f32[2, 1]
    %c = weight "index" : f32[1]
    %d = weight "conv1.weight" : f64[2]
    %e = weight "conv1.weight" : f32[2])"));
  EXPECT_FALSE(open(graph));
  EXPECT_EQ(diagnostics_.error_count(), 4u);
  expect_error("test.ir:3:17: error: there is no weight \"conv1.wieght\" in ");
  expect_error("did you mean \"conv1.weight\"?");
  expect_error("test.ir:4:17: error: weight \"conv1.weight\" has the shape [2] in ");
  expect_error("m.safetensors, not [2, 1]");
  expect_error("which do not convert to f32");
  expect_error("which do not convert to f64");
}

TEST_F(ConstantsTest, AMissingFileIsAnErrorOnlyWhenItIsNeeded) {
  auto without = model_of(model("%a = splat 1 : f32[2]"));
  EXPECT_TRUE(open(without));
  auto with = model_of(model("%a = weight \"a\" : f32[2]"));
  EXPECT_FALSE(open(with));
  expect_error("m.safetensors");
  diagnostics_ = {};
  EXPECT_FALSE(Constants::open(*with, {}, diagnostics_));
  expect_error("no weights file is given");
}

/// On a worker thread, while other threads wait for room: an error with a name.
TEST(WrittenWeights, OutOfMemory) {
  Result<Model> model = parse("model @m(%x: f32[1, 2]) {\n"
                              "  %v = random(1, he) : f32[2]\n  %w = random(2, he) : f32[1, 2]\n"
                              "  %y = mul %x, %v\n  %z = mul %y, %w\n  return %z\n}");
  ASSERT_TRUE(model) << model.error();
  Result<Session> session = Session::open(*model, {});
  ASSERT_TRUE(session) << session.error();
  std::optional<Constants> constants = session->open_constants();
  std::optional<CompiledProgram> program = session->compile();
  ASSERT_TRUE(constants && program);
  WeightsSource source{program->layout, session->model(), *constants, {2}};
  auto sink = [](uint64_t, std::span<const std::byte>, Diagnostics &) -> bool {
    throw std::bad_alloc();
  };
  Diagnostics diagnostics;
  EXPECT_FALSE(write_weights(source, sink, diagnostics));
  ASSERT_EQ(diagnostics.error_count(), 2u);
  EXPECT_NE(
      diagnostics.to_string().find(":2:3: error: out of memory while computing the constant %v"),
      std::string::npos)
      << diagnostics.to_string();
}

TEST(WeightsPath, ModelThenName) {
  Graph graph;
  EXPECT_EQ(default_weights_path(graph, "nets/lenet.ir"), "nets/lenet.safetensors");
  EXPECT_EQ(default_weights_path(graph, "-"), "");
  EXPECT_EQ(default_weights_path(graph, ""), "");
  graph.weights_file = "trained.safetensors";
  EXPECT_EQ(default_weights_path(graph, "nets/lenet.ir"), "nets/trained.safetensors");
  EXPECT_EQ(default_weights_path(graph, "-"), "trained.safetensors");
  graph.weights_file = "/data/w.safetensors";
  EXPECT_EQ(default_weights_path(graph, "nets/lenet.ir"), "/data/w.safetensors");
}

} // namespace
} // namespace cnnc
