// What changed from one text to another.
#pragma once

#include <string>
#include <string_view>

namespace cnnc {

struct TextDiff {
  std::string hunks; // of a unified diff, three lines of context around each; empty: no change
  size_t added = 0, removed = 0; // lines
};

/// A shortest way from `before` to `after` in whole lines, in time of the order of the lines times
/// the changes.
TextDiff diff_texts(std::string_view before, std::string_view after);

} // namespace cnnc
