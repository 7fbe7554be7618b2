// Running whole models by the reference.
#include "tests/unit/test_models.h"

namespace cnnc {
namespace {

using Floats = std::vector<float>;

TEST(Interpret, SymbolicBatchComesFromTheInput) {
  std::optional<Graph> graph = model_of(R"(
    model @m(%x: f32[n, 1, 2, 2]) {
      %w = splat 1 : f32[1, 1, 2, 2]
      %c = conv2d %x, %w
      %f = flatten %c
      return %f
    })");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  auto outputs = run_model(*graph, {counting({3, 1, 2, 2})}, diagnostics);
  ASSERT_TRUE(outputs) << diagnostics.to_string();
  EXPECT_EQ(outputs->front().shape(), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(values_of(outputs->front()), (Floats{6, 22, 38}));
}

TEST(Interpret, ObservesWhatDependsOnInputsInOrder) {
  std::optional<Graph> graph = model_of(R"(
    model @m(%x: f32[2]) {
      %a = splat 2 : f32[2]
      %b = mul %a, %a
      %c = add %x, %b
      %d = mul %c, %c
      %unused = exp %c
      return %d, %c, %x, %b
    })");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  std::vector<std::string> seen;
  auto outputs =
      run_model(*graph, {counting({2})}, diagnostics, [&](ValueId id, const Tensor &tensor) {
        seen.push_back(graph->value(id).name);
        EXPECT_EQ(tensor.shape(), std::vector<int64_t>{2});
      });
  ASSERT_TRUE(outputs) << diagnostics.to_string();
  EXPECT_EQ(seen, (std::vector<std::string>{"c", "d", "unused"}));
  ASSERT_EQ(outputs->size(), 4u);
  EXPECT_EQ(values_of((*outputs)[0]), (Floats{16, 25}));
  EXPECT_EQ(values_of((*outputs)[1]), (Floats{4, 5}));
  EXPECT_EQ(values_of((*outputs)[2]), (Floats{0, 1}));
  EXPECT_EQ(values_of((*outputs)[3]), (Floats{4, 4}));
}

TEST(Interpret, WrongInputsAreReportedTogether) {
  std::optional<Graph> graph = model_of(R"(
    model @m(%x: f32[n, 2], %y: f32[n, 2], %z: i32[3]) {
      %s = add %x, %y
      return %s, %z
    })");
  ASSERT_TRUE(graph);
  Diagnostics few, wrong;
  EXPECT_FALSE(run_model(*graph, {counting({1, 2})}, few));
  EXPECT_NE(few.to_string().find("takes 3 inputs, but 1 are given"), std::string::npos);
  EXPECT_FALSE(run_model(*graph, {counting({4, 2}), counting({5, 2}), counting({3})}, wrong));
  EXPECT_EQ(wrong.error_count(), 2u);
  EXPECT_NE(wrong.to_string().find("%y is f32[4, 2], but f32[5, 2] is given"), std::string::npos)
      << wrong.to_string();
  EXPECT_NE(wrong.to_string().find("%z is i32[3], but f32[3] is given"), std::string::npos);
}

TEST(Interpret, CallsOfLoweredKernelsCannotRun) {
  std::optional<Graph> graph = model_of(R"(
    model @m(%x: f32[2]) {
      %y = call "k" %x : f32[2]
      return %y
    })");
  ASSERT_TRUE(graph);
  Diagnostics diagnostics;
  EXPECT_FALSE(run_model(*graph, {counting({2})}, diagnostics));
  EXPECT_NE(diagnostics.to_string().find("'call' can't be computed by the reference"),
            std::string::npos)
      << diagnostics.to_string();
}

} // namespace
} // namespace cnnc
