#include "ir/loop/words.h"

#include "ir/loop/functions.h"

#include <algorithm>

namespace cnnc::loop {

bool is_reserved(std::string_view word) {
  static constexpr std::string_view words[] = {
      "kernel", "local",  "schedule", "prefetch", "table", "reg",     "scratch", "for", "parallel",
      "unroll", "vector", "in",       "select",   "value", "uniform", "lookup",  "inf", "nan"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words) ||
         std::ranges::any_of(named_functions(),
                             [&](const FunctionRow &function) { return function.name == word; });
}

} // namespace cnnc::loop
