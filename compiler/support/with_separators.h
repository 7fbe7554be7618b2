// Large numbers for people.
#pragma once

#include <cstdint>
#include <string>

namespace cnnc {

/// 1234567 as 1,234,567.
inline std::string with_separators(int64_t number) {
  std::string result = std::to_string(number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t i = result.size(); i > first + 3;)
    result.insert(i -= 3, ",");
  return result;
}

} // namespace cnnc
