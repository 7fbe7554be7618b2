#include "ir/loop/functions.h"

namespace cnnc::loop {

namespace {

constexpr FunctionRow rows[] = {
    {"min", Function::min, 2},     {"max", Function::max, 2},     {"pow", Function::pow, 2},
    {"exp", Function::exp, 1},     {"expm1", Function::expm1, 1}, {"log", Function::log, 1},
    {"tanh", Function::tanh, 1},   {"erf", Function::erf, 1},     {"normcdf", Function::normcdf, 1},
    {"sin", Function::sin, 1},     {"cos", Function::cos, 1},     {"sqrt", Function::sqrt, 1},
    {"abs", Function::abs, 1},     {"floor", Function::floor, 1}, {"ceil", Function::ceil, 1},
    {"round", Function::round, 1}, {"fma", Function::fma, 3},     {"dot2", Function::dot2, 2},
    {"dot4", Function::dot4, 2},   {"entry", Function::entry, 2},
};

const FunctionRow *row_of(Function function) {
  for (const FunctionRow &row : rows)
    if (row.function == function)
      return &row;
  return nullptr;
}

} // namespace

std::span<const FunctionRow> named_functions() { return rows; }

std::string_view name_of(Function function) {
  const FunctionRow *row = row_of(function);
  return row ? row->name : std::string_view();
}

size_t argument_count(Function function) {
  if (const FunctionRow *row = row_of(function))
    return row->arguments;
  switch (function) {
  case Function::neg:
    return 1;
  case Function::select_less:
  case Function::select_equal:
    return 4;
  default: // the infix operators
    return 2;
  }
}

} // namespace cnnc::loop
