// Random ops with their operands: shapes, attributes and layouts.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace cnnc {

/// Random choices, the same on every machine.
class Choices {
public:
  explicit Choices(uint32_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint32_t>(high - low + 1));
  }
  bool flip() { return between(0, 1) == 1; }
  float number() { return static_cast<float>(between(-4000, 4000)) / 1000; }
  template <class T> T one_of(std::initializer_list<T> items) {
    return items.begin()[between(0, static_cast<int64_t>(items.size()) - 1)];
  }

private:
  std::mt19937 engine_;
};

/// The text of one op and its operands: `%y = OP : RESULT` in a model with INPUTS as parameters.
struct Case {
  std::string inputs, op, results = "%y";
};

/// A kind of op and what makes a random one of it.
struct CaseMaker {
  const char *name;
  Case (*make)(Choices &);
};

/// One per op or group of ops.
const std::vector<CaseMaker> &case_makers();

} // namespace cnnc
