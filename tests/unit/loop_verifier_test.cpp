// Every rule of the verifier with a kernel that breaks it.
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/verifier.h"
#include "loop_test_helpers.h"

#include <fmt/format.h>

namespace cnnc::loop {
namespace {

std::string errors_of(const Kernel &kernel) {
  Diagnostics diagnostics;
  bool valid = verify(kernel, diagnostics);
  EXPECT_EQ(valid, !diagnostics.has_errors());
  return diagnostics.to_string();
}

struct Case {
  const char *body;
  const char *message; // empty: valid
};

/// Bodies of a kernel (x: f32[58, 16], i: i64[8]) -> (y: f32[56, 16], j: i64[8]) local (t:
/// f32[16]).
const Case cases[] = {
    {"for a in 0..56, b in 0..16 { y[a, b] = max(x[a + 2, b], 0) }", ""},
    {"for a in 0..8 { j[a] = i[7 - a] }", ""},
    {"for a in 0..3 { reg c: f32 c = 0 } for a in 0..3 { reg c: f32 c = 1 t[a] = c }", ""},
    {"parallel a in 0..56, vector b in 0..16 { y[a, b] = x[a, b] }", ""},
    {"for a in 0..0 { t[a + 99] = 0 }", ""},
    {"reg x: f32 x = 0", "the name x of this register belongs to a buffer already"},
    {"reg c: f32 c = 0 for a in 0..2 { reg c: f32 c = 0 }", "belongs to a register already"},
    {"for a in 0..2 { reg c: f32 c = 0 } t[0] = c", "there is no buffer or register c here"},
    {"for a in 0..2 { for a in 0..2 { t[a] = 0 } }", "a loop around this one binds a already"},
    {"for a in 0..2 { t[a] = 0 } t[a] = 0", "there is no loop a around this"},
    {"for a in 0..b, b in 0..3 { t[0] = 0 }", "there is no loop b around this"},
    {"for a in 0..2 { t[a, 0] = 0 }", "t has 1 dimension, but t[a, 0] has 2 subscripts"},
    {"reg c: f32 c[0] = 0", "c has 0 dimensions"},
    {"q[0] = 0", "there is no buffer or register q here, in q[0] = 0"},
    {"t[0] = q", "there is no buffer or register q here"},
    {"x[0, 0] = 0", "the input x cannot be assigned"},
    {"x[0, 0] += 1", "the input x cannot be assigned"},
    {"for n in 0..4, vector a in 0..n { t[a] = 0 }", "vector loop a must have a constant extent"},
    {"for n in 0..4, unroll a in 0..min(n, 3) { t[a] = 0 }", "unroll loop a must have a constant"},
    {"unroll a in 3..3 { t[a] = 0 }", "extent of at least one"},
    {"for n in 0..4, unroll a in n..n + 4 { t[a] = 0 }", ""},
    {"unroll a in 0..300, b in 0..300 { t[0] = 0 }", "unrolling a would write out more than 65536"},
    {"unroll a in 0..4 { unroll b in 0..16384 { t[0] = 0 } t[0] = 0 }", "unrolling a would"},
    {"vector a in 0..4 { for b in 0..2 { t[b] = 0 } }", "vector loop a may hold assignments only"},
    {"vector a in 0..4 { reg c: f32 c = 0 }", "vector loop a may hold assignments only"},
    {"for a in 0..4, parallel b in 0..4 { t[b] = 0 }", "parallel loop b must stand outermost"},
    {"parallel a in 0..4, parallel b in 0..4 { t[b] = 0 }", "parallel loop b must stand outermost"},
    {"reg c: f32 c = 0 parallel a in 0..4 { t[a] = c }", "c lives outside of the parallel loop"},
    {"for a in 4..2 { t[a] = 0 }", "the loop a runs backwards"},
    {"for a in 0..57, b in 0..16 { y[a, b] = 0 }",
     "y[a, b] leaves its buffer: dimension 0 is in 0..56 but the subscript a runs from 0 to 56, "
     "in y[a, b] = 0"},
    {"for a in 0..56, b in 0..16 { y[a, b] = x[a - 1, b] }", "a - 1 runs from -1 to 54"},
    {"for a in 0..56, k in 0..3 { y[a, 0] = 0 t[0] += x[a + k + 1, 0] }", "runs from 1 to 58"},
    {"reg c: f32[4] unroll a in 0..5 { c[a] = 0 }", "c[a] leaves its buffer"},
    {"j[0] = 0", "arithmetic is in f32, but j is i64"},
    {"t[0] = i[0]", "t is f32 but i is i64"},
    {"j[0] = x[0, 0]", "j is i64 but x is f32"},
    {"t[0] = i[0] + 1", "arithmetic is in f32, but i is i64"},
    {"j[0] = i[0] + i[1]", "arithmetic is in f32, but"},
    {"j[0] += i[0]", "arithmetic is in f32, but"},
    {"t[0] = select(x[0, 0] < 0, i[0], 1)", "arithmetic is in f32, but i is i64"},
    {"reg c: f32 t[0] = c", "the register c is read before it is assigned"},
    {"reg c: f32 c += 1", "the register c is read before it is assigned"},
    {"reg c: f32[1000, 1000] c[0, 0] = 1", "must have between 1 and 65536 elements"},
    {"reg inf: f32 t[0] = 0", "\"inf\" cannot be the name of a register"},
    {"for inf in 0..4 { t[inf] = 0 }", "cannot be the name of a loop variable"},
};

TEST(LoopVerifier, Rules) {
  for (const Case &test : cases) {
    std::string text = fmt::format("kernel @k(x: f32[58, 16], i: i64[8]) -> (y: f32[56, 16], "
                                   "j: i64[8]) local(t: f32[16]) {{ {} }}",
                                   test.body);
    std::string errors = errors_of(read_kernel(text));
    if (std::string_view(test.message).empty())
      EXPECT_EQ(errors, "") << test.body;
    else
      EXPECT_NE(errors.find(test.message), std::string::npos)
          << test.body << "\nexpected: " << test.message << "\nreported: " << errors;
  }
}

TEST(LoopVerifier, Buffers) {
  Kernel twice = read_kernel("kernel @k(x: f32[4]) -> (x: f32[4]) { }");
  EXPECT_NE(errors_of(twice).find("the buffer x is declared twice"), std::string::npos);
  Kernel odd = read_kernel("kernel @k(x: f32[4]) -> (y: f32[4]) { }");
  odd.inputs[0].name = "1x";
  EXPECT_NE(errors_of(odd).find("cannot be the name of a buffer"), std::string::npos);
  odd.inputs[0] = {"x", DType::f32, {int64_t(1) << 40, int64_t(1) << 40}};
  EXPECT_NE(errors_of(odd).find("the buffer x has no valid size"), std::string::npos);
}

TEST(LoopVerifier, WhatOnlyPassesCanBreak) {
  Kernel kernel = read_kernel("kernel @k() -> (y: f32[4]) { for a in 0..4 { y[a] = 0 } }");
  For &loop = std::get<For>(kernel.body[0].node);
  loop.upper.clear();
  EXPECT_NE(errors_of(kernel).find("the loop a has no bound"), std::string::npos);
  loop.upper = {Index(4)};
  Assign &assign = std::get<Assign>(loop.body[0].node);
  assign.value = call(Function::fma, {number(1), number(2)});
  EXPECT_NE(errors_of(kernel).find("2 arguments instead of 3"), std::string::npos);
  assign.value = number(0);
  assign.target.subscripts[0] = Index::variable("a") * (int64_t(1) << 41);
  EXPECT_NE(errors_of(kernel).find("is too large"), std::string::npos);
}

/// A statement that a pass made has no place of its own: the kernel's stands in.
TEST(LoopVerifier, PointsAtTheStatementOrTheKernel) {
  Kernel kernel = read_kernel("kernel @k() -> (y: f32[4]) {\n  y[4] = 0\n}\n");
  EXPECT_EQ(errors_of(kernel).rfind("test.ir:2:3: error:", 0), 0u);
  kernel.body[0].range = {};
  EXPECT_EQ(errors_of(kernel).rfind("test.ir:1:8: error:", 0), 0u);
}

TEST(LoopVerifier, CheckBoundsIsTheSameProof) {
  Diagnostics diagnostics;
  PassContext context{diagnostics, {}, {}};
  Kernel good = read_kernel("kernel @k() -> (y: f32[4]) { for a in 0..4 { y[a] = 0 } }");
  EXPECT_TRUE(check_bounds(good, context));
  Kernel bad = read_kernel("kernel @k() -> (y: f32[4]) { for a in 0..5 { y[a] = 0 } }");
  EXPECT_FALSE(check_bounds(bad, context));
  EXPECT_EQ(diagnostics.to_string(), errors_of(bad));
}

} // namespace
} // namespace cnnc::loop
