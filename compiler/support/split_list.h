// Lists on the command line: "a,b,c".
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

/// The words between commas; empty ones do not count.
inline std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < list.size();) {
    size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin)
      words.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

} // namespace cnnc
