// Shortest edits of lines: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, in
// linear space: a snake (equal lines, maybe none) in the middle of a shortest way splits the problem
// in two.
#include "compiler/support/text_diff.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <unordered_map>
#include <vector>

namespace cnnc {

namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

using Numbers = std::span<const uint32_t>; // of lines: equal ones for equal lines

/// Numbers of lines, as they come.
class LineNumbers {
public:
  std::vector<uint32_t> of(const std::vector<std::string_view> &lines) {
    std::vector<uint32_t> numbers;
    for (std::string_view line : lines)
      numbers.push_back(known_.emplace(line, static_cast<uint32_t>(known_.size())).first->second);
    return numbers;
  }

private:
  std::unordered_map<std::string_view, uint32_t> known_;
};

/// From (x, y) to (u, v), in lines of both texts.
struct Snake {
  int64_t x = 0, y = 0, u = 0, v = 0;
};

/// How far ways reach on each diagonal k = x - y, for k from -range to range.
class Reach {
public:
  explicit Reach(int64_t range)
      : range_(range), x_(static_cast<size_t>(2 * range + 1), int64_t(0)) {}
  int64_t &operator[](int64_t k) { return x_[static_cast<size_t>(k + range_)]; }

private:
  int64_t range_;
  std::vector<int64_t> x_;
};

/// Neither text is empty, and neither their first nor their last lines are equal.
Snake middle_snake(Numbers a, Numbers b) {
  const auto n = static_cast<int64_t>(a.size()), m = static_cast<int64_t>(b.size());
  const int64_t delta = n - m;
  Reach forward(n + m + 1), backward(n + m + 1); // backward from the ends, in lines from there
  for (int64_t steps = 0;; ++steps) {
    for (const bool ahead : {true, false}) {
      Reach &reach = ahead ? forward : backward, &other = ahead ? backward : forward;
      // Diagonals that lie beyond a text lead nowhere.
      const int64_t least = -(steps - 2 * std::max<int64_t>(0, steps - m));
      const int64_t most = steps - 2 * std::max<int64_t>(0, steps - n);
      for (int64_t k = least; k <= most; k += 2) {
        const bool down = k == -steps || (k != steps && reach[k - 1] < reach[k + 1]);
        int64_t x = down ? reach[k + 1] : reach[k - 1] + 1, y = x - k;
        const int64_t first_x = x, first_y = y;
        auto equal = [&] {
          const int64_t i = ahead ? x : n - 1 - x, j = ahead ? y : m - 1 - y;
          return a[static_cast<size_t>(i)] == b[static_cast<size_t>(j)];
        };
        while (x < n && y < m && equal()) {
          ++x;
          ++y;
        }
        reach[k] = x;
        // The other way on the same diagonal, as it counts, if it has been there.
        const int64_t opposite = delta - k, been = ahead ? steps - 1 : steps;
        const bool meets =
            (delta % 2 != 0) == ahead && std::abs(opposite) <= been && x + other[opposite] >= n;
        if (meets)
          return ahead ? Snake{first_x, first_y, x, y}
                       : Snake{n - x, m - y, n - first_x, m - first_y};
      }
    }
  }
}

/// Which lines are removed and added.
class Edits {
public:
  Edits(Numbers before, Numbers after) : removed(before.size(), false), added(after.size(), false) {
    find(before, after, 0, 0);
  }

  std::vector<bool> removed, added;

private:
  /// For parts of the texts, which begin at these lines.
  void find(Numbers a, Numbers b, size_t first_a, size_t first_b) {
    while (!a.empty() && !b.empty() && a.front() == b.front()) {
      a = a.subspan(1);
      b = b.subspan(1);
      ++first_a;
      ++first_b;
    }
    while (!a.empty() && !b.empty() && a.back() == b.back()) {
      a = a.first(a.size() - 1);
      b = b.first(b.size() - 1);
    }
    if (a.empty() || b.empty()) {
      std::fill_n(removed.begin() + static_cast<std::ptrdiff_t>(first_a), a.size(), true);
      std::fill_n(added.begin() + static_cast<std::ptrdiff_t>(first_b), b.size(), true);
      return;
    }
    const Snake snake = middle_snake(a, b);
    const auto x = static_cast<size_t>(snake.x), y = static_cast<size_t>(snake.y);
    const auto u = static_cast<size_t>(snake.u), v = static_cast<size_t>(snake.v);
    find(a.first(x), b.first(y), first_a, first_b);
    find(a.subspan(u), b.subspan(v), first_a + u, first_b + v);
  }
};

/// A line of the diff, and how many lines of both texts stand before it.
struct DiffLine {
  char sign = ' ';
  std::string_view text;
  size_t before = 0, after = 0;
};

std::vector<DiffLine> diff_lines(const std::vector<std::string_view> &before,
                                 const std::vector<std::string_view> &after, const Edits &edits) {
  std::vector<DiffLine> lines;
  for (size_t i = 0, j = 0; i < before.size() || j < after.size();) {
    if (i < before.size() && edits.removed[i]) {
      lines.push_back({'-', before[i], i, j});
      ++i;
    } else if (j < after.size() && edits.added[j]) {
      lines.push_back({'+', after[j], i, j});
      ++j;
    } else {
      lines.push_back({' ', before[i], i, j});
      ++i;
      ++j;
    }
  }
  return lines;
}

/// `12,3`: the first line and their count; of no lines, the line before.
std::string format_range(size_t before, size_t count) {
  return fmt::format("{},{}", count == 0 ? before : before + 1, count);
}

std::string format_hunk(std::span<const DiffLine> lines) {
  const auto added = static_cast<size_t>(std::ranges::count(lines, '+', &DiffLine::sign));
  const auto removed = static_cast<size_t>(std::ranges::count(lines, '-', &DiffLine::sign));
  std::string hunk =
      fmt::format("@@ -{} +{} @@\n", format_range(lines.front().before, lines.size() - added),
                  format_range(lines.front().after, lines.size() - removed));
  for (const DiffLine &line : lines)
    hunk += fmt::format("{}{}\n", line.sign, line.text);
  return hunk;
}

} // namespace

TextDiff diff_texts(std::string_view before, std::string_view after) {
  constexpr size_t context = 3;
  const std::vector<std::string_view> from = lines_of(before), to = lines_of(after);
  LineNumbers numbers;
  const std::vector<uint32_t> a = numbers.of(from), b = numbers.of(to);
  const std::vector<DiffLine> lines = diff_lines(from, to, Edits(a, b));
  TextDiff result;
  for (size_t i = 0; i < lines.size();) {
    if (lines[i].sign == ' ') {
      ++i;
      continue;
    }
    // As far as the next change is near.
    size_t end = i;
    for (size_t j = i; j < lines.size() && j <= end + 2 * context; ++j)
      if (lines[j].sign != ' ')
        end = j;
    const size_t first = i - std::min(i, context), last = std::min(end + context + 1, lines.size());
    result.hunks += format_hunk(std::span(lines).subspan(first, last - first));
    i = last;
  }
  result.added = static_cast<size_t>(std::ranges::count(lines, '+', &DiffLine::sign));
  result.removed = static_cast<size_t>(std::ranges::count(lines, '-', &DiffLine::sign));
  return result;
}

} // namespace cnnc
