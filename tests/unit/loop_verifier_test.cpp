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
    {"j[0] = 0", ""},
    {"j[0] = x[0, 0]", ""},
    {"t[0] = i[0] + 1", ""},
    {"j[0] += i[0]", ""},
    {"reg c: i64 c = 0", "the register c is i64, but registers are f32 or i32"},
    {"scratch c: i32[4] c[0] = x[0, 0]", ""},
    {"table r: i32[2] = [0, 55] for a in 0..2 { y[r[a], 0] = x[r[a] + 2, r[a] % 16] }", ""},
    {"table r: i32[2] = [0, 56] for a in 0..2 { y[r[a], 0] = 0 }",
     "y[r[a], 0] leaves its buffer: dimension 0 is in 0..56 but the subscript r[a] runs from 0 to "
     "56"},
    {"table r: i32[2] = [-1, 55] for a in 0..2 { y[r[a], 0] = 0 }", "runs from -1 to 55"},
    {"table r: i32[2] = [0, 1] for a in 0..3 { y[r[a], 0] = 0 }",
     "r[a] leaves its buffer: dimension 0 is in 0..2 but the subscript a runs from 0 to 2, in "
     "r[a]"},
    {"table r: i32[2] = [0, 1] for a in 0..2, b in 0..r[a + 1] { t[b] = 0 }", "in r[a + 1]"},
    {"table r: i32[2] = [0, 1] for a in 0..2, b in 0..r[a] { t[b] = 0 }", ""},
    {"table r: i32[2] = [0] t[0] = 0", "the table r must list an element for each position"},
    {"table r: i32[2] = [0, 0.5] t[0] = 0", "0.5 is no i32, in the table r"},
    {"table r: i32[1] = [3000000000] t[0] = 0", "3000000000 is no i32"},
    {"table r: i64[1] = [0] t[0] = 0", "the table r is i64: tables are i32 or f32"},
    {"table x: i32[1] = [0] t[0] = 0", "the buffer x is declared twice"},
    {"table r: i32[1] = [0] r[0] = 1", "the table r cannot be assigned"},
    {"table r: i32[1] = [0] reg r: f32", "the name r of this register belongs to a table already"},
    {"table r: f32[1] = [0.5] t[0] = r[0]", ""},
    {"table r: f32[1] = [0] t[r[0]] = 0", "r cannot be looked up, in r[0]: only tables of i32 and"},
    {"for a in 0..8 { t[lookup(i[a], 16)] = 0 }", ""},
    {"for a in 0..8 { t[lookup(i[a], 17)] = 0 }", "lookup(i[a], 17) runs from 0 to 16"},
    {"for a in 0..9 { t[lookup(i[a], 16)] = 0 }", "i[a] leaves its buffer"},
    {"t[i[0]] = 0", "a lookup in the input i needs a limit, as in lookup(i[0], 80)"},
    {"t[lookup(i[0, 0], 16)] = 0", "i has 1 dimensions, but is looked up with 2 subscripts"},
    {"t[lookup(x[0, 0], 16)] = 0", "x cannot be looked up"},
    {"t[lookup(j[0], 16)] = 0", "j cannot be looked up"},
    {"t[lookup(q[0], 16)] = 0", "q cannot be looked up"},
    {"for a in 0..8 { t[a] = value(a * 2 - 1) }", ""},
    {"for a in 0..8 { t[a] = uniform(a * 536870911, 7, x[a, 0]) }", ""},
    {"for a in 0..8 { t[a] = uniform(a, 7, q) }", "there is no buffer or register q here"},
    {"for a in 0..8 { t[a] = uniform(b, 7, 0) }", "there is no loop b around this"},
    {"for a in 0..8 { t[a] = uniform(a - 1, 7, 0) }",
     "the place a - 1 of a random number runs from -1 to 6, but has to lie in [0, 2^32)"},
    {"for a in 0..9 { t[a] = uniform(a * 536870912, 7, 0) }", "has to lie in [0, 2^32)"},
    {"for a in 0..8 { t[a] = value(b) }", "there is no loop b around this"},
    {"for a in 0..8 { t[a] = value(a * 1000000000) }",
     "value(a * 1000000000) runs from 0 to 7000000000, but has to fit 32 bits"},
    {"reg c: f32 t[0] = c", "the register c is read before it is assigned"},
    {"reg c: f32 c += 1", "the register c is read before it is assigned"},
    {"reg c: f32[1000, 1000] c[0, 0] = 1", "must have between 1 and 65536 elements"},
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
  for (const char *name : {"1x", "lookup", "log"}) {
    odd.inputs[0].name = name;
    EXPECT_NE(errors_of(odd).find("cannot be the name of a buffer"), std::string::npos) << name;
  }
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
