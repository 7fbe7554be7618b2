// What the tests of the loops text share: parsing of snippets, numeric evaluation, reproducible
// chance.
#pragma once

#include "ir/loop/loop.h"
#include "ir/module/module.h"

#include <gtest/gtest.h>
#include <map>
#include <random>

namespace cnnc::loop {

using Point = std::map<std::string, int64_t>;

class Random {
public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// Both ends included; the same numbers with every standard library.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }

private:
  std::mt19937_64 engine_;
};

inline int64_t floor_divide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient * b > a ? quotient - 1 : quotient;
}

inline int64_t evaluate(const Index &index, const Point &point) {
  int64_t sum = index.constant;
  for (const Term &term : index.terms) {
    int64_t value = 0;
    if (term.kind == Term::Kind::variable) {
      value = point.at(term.variable);
    } else {
      int64_t inner = evaluate(*term.inner, point);
      int64_t quotient = floor_divide(inner, term.divisor);
      value = term.kind == Term::Kind::quotient ? quotient : inner - quotient * term.divisor;
    }
    sum += term.factor * value;
  }
  return sum;
}

inline Module read_module(const std::string &text) {
  Diagnostics diagnostics;
  auto source = std::make_shared<const Source>(Source{"test.ir", text});
  std::optional<Module> module = parse_module(source, diagnostics);
  EXPECT_TRUE(module) << diagnostics.to_string() << text;
  return module ? std::move(*module) : Module{};
}

inline Kernel read_kernel(const std::string &text) {
  Module module = read_module(text);
  EXPECT_EQ(module.kernels.size(), 1u);
  return module.kernels.empty() ? Kernel{} : std::move(module.kernels[0]);
}

inline Index read_index(const std::string &text) {
  Kernel kernel = read_kernel("kernel @k() -> (y: f32[9]) { y[" + text + "] = 0 }");
  if (kernel.body.empty())
    return {};
  return std::get<Assign>(kernel.body[0].node).target.subscripts.at(0);
}

} // namespace cnnc::loop
