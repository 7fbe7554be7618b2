#include "tests/unit/elementwise_cases.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

struct Choice {
  const UnaryRow *row;
  UnaryParameters parameters;
};

/// Without a step between neighbouring numbers.
bool is_continuous(const Choice &choice) {
  constexpr double step = 1.0 / 128;
  for (double x = -6; x < 6; x += step) {
    double a = choice.row->reference(x, choice.parameters);
    double b = choice.row->reference(x + step, choice.parameters);
    if (std::abs(a - b) > 8 * step)
      return false;
  }
  return true;
}

std::vector<Choice> choices(bool continuous) {
  std::vector<Choice> result;
  for (const UnaryRow &row : unary_table())
    for (bool other : {false, true}) {
      Choice choice{&row, parameters_of(row, other)};
      if (row.dtype == DType::f32 && row.finite && (!continuous || is_continuous(choice)))
        result.push_back(choice);
    }
  return result;
}

std::string one_of(const std::vector<Choice> &choices, Choices &r, const std::string &operand) {
  int64_t index = r.between(0, static_cast<int64_t>(choices.size()) - 1);
  const Choice &choice = choices[static_cast<size_t>(index)];
  return unary_text(*choice.row, choice.parameters, operand);
}

} // namespace

std::string unary_text(const UnaryRow &row, const UnaryParameters &parameters,
                       const std::string &operand) {
  std::string text = fmt::format("{} {}", row.name, operand);
  for (size_t i = 0; i < row.parameter_count(); ++i)
    if (std::isfinite(parameters[i])) // others are defaults
      text += fmt::format(" {}={}", row.parameters[i].name, parameters[i]);
  return text;
}

UnaryParameters parameters_of(const UnaryRow &row, bool other) {
  UnaryParameters result = {};
  for (size_t i = 0; i < row.parameter_count(); ++i) {
    result[i] = row.parameters[i].default_value;
    if (other)
      result[i] = std::isinf(result[i]) ? std::copysign(1.5, result[i]) : result[i] + 0.25;
  }
  return result;
}

std::string random_unary(Choices &r, const std::string &operand) {
  static const std::vector<Choice> all = choices(false);
  return one_of(all, r, operand);
}

std::string random_continuous_unary(Choices &r, const std::string &operand) {
  static const std::vector<Choice> continuous = choices(true);
  return one_of(continuous, r, operand);
}

} // namespace cnnc
