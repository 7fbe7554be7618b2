// What the reference interpreter of loops refuses: each rule broken once.
#include "compiler/reference/run_loops.h"
#include "ir/loop/parser.h"
#include "ir/text/lexer.h"

#include <gtest/gtest.h>

namespace cnnc {
namespace {

loop::Kernel parse(std::string_view body) {
  std::string text = "kernel @k(x: f32[4]) -> (y: f32[4]) {\n" + std::string(body) + "\n}";
  Diagnostics diagnostics;
  auto source = std::make_shared<Source>(Source{"test.ir", text});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  std::optional<loop::Kernel> kernel = loop::parse_kernel(cursor);
  EXPECT_EQ(diagnostics.to_string(), "");
  return kernel.value_or(loop::Kernel());
}

std::string violation(const loop::Kernel &kernel) {
  loop::Buffers buffers = {{"x", {1, 2, 3, 4}}};
  std::string error;
  EXPECT_NE(loop::run_loops(kernel, buffers, error), !error.empty());
  return error;
}

struct Case {
  std::string_view name, body, error;
};
class Violations : public testing::TestWithParam<Case> {};

TEST_P(Violations, AreReported) {
  std::string error = violation(parse(GetParam().body));
  EXPECT_NE(error.find(GetParam().error), std::string::npos) << error;
}

const Case cases[] = {
    {"subscript", "for i in 0..4 { y[i] = x[i + 1] }",
     "subscript 0 is 4, but the dimension has 4 elements with i = 3"},
    {"not_stored", "for i in 0..3 { y[i] = y[i + 1] }",
     "is read before anything was stored with i = 0"},
    {"stored_elsewhere",
     "for i in 0..4 { y[i] = x[i] } parallel i in 0..2 { y[i] = x[i] y[i + 2] = y[1] }",
     "was stored by another iteration of a parallel loop"},
    {"used_elsewhere", "parallel i in 0..4 { y[0] = x[i] }",
     "is used by another iteration of a parallel loop"},
    {"lanes", "vector i in 0..4 { for j in 0..1 { y[i] = x[i] } }", "holds more than assignments"},
    {"same_element", "vector i in 0..4 { y[0] = x[i] }", "two lanes store to y[0]"},
    {"input", "for i in 0..4 { x[i] = 1 }", "stores to an input"},
};
INSTANTIATE_TEST_SUITE_P(run_loops, Violations, testing::ValuesIn(cases),
                         [](const auto &row) { return std::string(row.param.name); });

TEST(RunLoops, ALoopWithoutABound) {
  loop::Kernel kernel = parse("for i in 0..4 { y[i] = x[i] }");
  std::get<loop::For>(kernel.body[0].node).upper.clear();
  EXPECT_NE(violation(kernel).find("a loop has no bound"), std::string::npos);
}

} // namespace
} // namespace cnnc
