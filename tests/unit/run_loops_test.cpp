// The reference interpreter of loops: what they mean, and the violations that it says it finds.
#include "compiler/reference/run_loops.h"
#include "ir/loop/parser.h"

#include <gtest/gtest.h>

namespace cnnc {
namespace {

/// Runs a body on a: f32[4] = 1, 2, 3, 4 and b: f32[4], the output. The message of a violation.
std::string run(const std::string &body, std::vector<double> *result = nullptr) {
  Diagnostics diagnostics;
  auto source = std::make_shared<Source>(
      Source{"k", "kernel @k(a: f32[4]) -> (b: f32[4]) local (t: f32[4]) {\n" + body + "\n}\n"});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  std::optional<loop::Kernel> kernel = loop::parse_kernel(cursor);
  EXPECT_TRUE(kernel) << diagnostics.to_string();
  loop::Buffers buffers = {{"a", {1, 2, 3, 4}}};
  std::string error;
  bool ok = kernel && loop::run_loops(*kernel, buffers, error);
  EXPECT_EQ(ok, error.empty());
  if (result)
    *result = buffers["b"];
  return error;
}

TEST(LoopInterpreter, runs_every_kind_of_loop) {
  std::vector<double> b;
  EXPECT_EQ(run("parallel i in 0..2 {\n"
                "  reg s: f32[2]\n"
                "  vector v in 0..2 { s[v] = a[i * 2 + v] }\n"
                "  unroll k in 0..2 { s[k] += 10 * a[3 - k] }\n"
                "  for k in max(0, i - 1)..min(2, i + 2) { b[i * 2 + k] = s[k] }\n"
                "}",
                &b),
            "");
  EXPECT_EQ(b, (std::vector<double>{41, 32, 43, 34}));
}

TEST(LoopInterpreter, divisions_of_indices_round_down) {
  std::vector<double> b;
  EXPECT_EQ(run("for i in 0..4 { b[i] = a[(i - 3) / 2 + 2] + 10 * a[(i - 3) % 4] }", &b), "");
  EXPECT_EQ(b, (std::vector<double>{21, 32, 42, 13}));
}

TEST(LoopInterpreter, vectors_compute_before_they_store) {
  std::vector<double> b;
  EXPECT_EQ(run("for i in 0..4 { b[i] = a[i] }\n"
                "vector v in 0..3 { b[v + 1] = b[v] }",
                &b),
            "");
  EXPECT_EQ(b, (std::vector<double>{1, 1, 2, 3}));
}

struct Wrong {
  const char *body, *message;
};

class WrongLoops : public testing::TestWithParam<Wrong> {};

TEST_P(WrongLoops, are_found) {
  std::string error = run(GetParam().body);
  EXPECT_NE(error.find(GetParam().message), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongLoops,
    testing::Values(
        Wrong{"for i in 0..5 { b[i] = 0 }",
              "b[i]: subscript 0 is 4, but the dimension has 4 elements with i = 4"},
        Wrong{"for i in 0..4 { b[i] = a[i - 1] }", "is -1"},
        Wrong{"for i in 0..4 { b[i, 0] = 0 }", "needs 1 subscripts"},
        Wrong{"b[0] = c", "no buffer or register c"}, Wrong{"b[i] = 0", "i is not bound"},
        Wrong{"for i in 0..2 { for i in 0..2 { b[i] = 0 } }", "i is bound twice"},
        Wrong{"reg a: f32", "a is defined twice"}, Wrong{"a[0] = 0", "stores to an input"},
        Wrong{"b[0] = t[1]", "t[1] is read before anything was stored"},
        Wrong{"b[0] = entry(a[0], a[3] * 100)", "the entry 400 of a[0] is no number of 8 bits"},
        Wrong{"reg s: f32\ns += 1", "read before"},
        Wrong{"for i in 0..2 { reg s: f32\ns = 1 }\nb[0] = s", "no buffer or register s"},
        Wrong{"vector v in 0..4 { b[0] = a[v] }", "two lanes store to b[0]"},
        Wrong{"vector v in 0..2 { for i in 0..2 { b[v] = 0 } }", "holds more than assignments"},
        Wrong{"parallel i in 0..2 { b[0] = a[i] }",
              "b[0] is used by another iteration of a parallel loop"},
        Wrong{"parallel i in 0..4 { b[i] = 1\nt[i] = b[3] }",
              "b[3] was stored by another iteration of a parallel loop"},
        Wrong{"b[0] = 1\nparallel i in 0..4 { t[i] = b[0]\nif_last[0] = 1 }", "no buffer"},
        Wrong{"b[0] = 1\nparallel i in 0..2 { for j in 0..i + 1 { t[i * 2 + j] = b[0] }\n"
              "for j in i..1 { b[j] = 2 } }",
              "another iteration"}));

TEST(LoopInterpreter, parallel_loops_one_after_the_other_may_share) {
  EXPECT_EQ(run("parallel i in 0..2, j in 0..2 { t[i * 2 + j] = a[i] }\n"
                "parallel i in 0..4 { b[i] = t[3 - i] }"),
            "");
}

TEST(LoopInterpreter, a_loop_without_a_bound_is_found) {
  loop::For loop;
  loop.variable = "i";
  loop::Kernel kernel;
  kernel.body.push_back({loop});
  loop::Buffers none;
  std::string error;
  EXPECT_FALSE(loop::run_loops(kernel, none, error));
  EXPECT_NE(error.find("a loop has no bound"), std::string::npos) << error;
}

} // namespace
} // namespace cnnc
