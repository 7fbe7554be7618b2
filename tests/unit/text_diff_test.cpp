// Diffs of random texts: applied they give the other text, and no shorter ones exist.
#include "compiler/support/text_diff.h"

#include <algorithm>
#include <cstdio>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace cnnc {

namespace {

using Lines = std::vector<std::string>;

std::string joined(const Lines &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line + "\n";
  return text;
}

Lines lines_of(const std::string &text) {
  Lines lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// The text after a unified diff, whose context and removed lines have to be there.
Lines applied(const Lines &before, const std::string &hunks) {
  Lines result;
  size_t at = 0;
  for (const std::string &line : lines_of(hunks)) {
    size_t from = 0, removed = 0, to = 0, added = 0;
    if (std::sscanf(line.c_str(), "@@ -%zu,%zu +%zu,%zu @@", &from, &removed, &to, &added) == 4) {
      while (at < from - (removed == 0 ? 0 : 1))
        result.push_back(before.at(at++));
      EXPECT_EQ(result.size(), to - (added == 0 ? 0 : 1)) << line;
    } else if (line[0] == '+') {
      result.push_back(line.substr(1));
    } else {
      EXPECT_EQ(before.at(at), line.substr(1));
      if (line[0] == ' ')
        result.push_back(before[at]);
      ++at;
    }
  }
  result.insert(result.end(), before.begin() + static_cast<std::ptrdiff_t>(at), before.end());
  return result;
}

/// Length of the longest common subsequence, by the table of all prefixes.
size_t longest_common(const Lines &a, const Lines &b) {
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j)
      table[i + 1][j + 1] =
          a[i] == b[j] ? table[i][j] + 1 : std::max(table[i][j + 1], table[i + 1][j]);
  return table[a.size()][b.size()];
}

Lines random_lines(std::mt19937 &random, size_t most, int kinds) {
  Lines lines(std::uniform_int_distribution<size_t>(0, most)(random));
  for (std::string &line : lines)
    line = std::string(1, static_cast<char>('a' + random() % static_cast<unsigned>(kinds)));
  return lines;
}

void expect_shortest(const Lines &before, const Lines &after) {
  const TextDiff diff = diff_texts(joined(before), joined(after));
  EXPECT_EQ(applied(before, diff.hunks), after) << joined(before) << "---\n" << joined(after);
  const size_t common = longest_common(before, after);
  EXPECT_EQ(diff.removed, before.size() - common);
  EXPECT_EQ(diff.added, after.size() - common);
}

TEST(TextDiff, IsAppliedAndAsShortAsCanBe) {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    const int kinds = 1 + i % 5;
    expect_shortest(random_lines(random, 14, kinds), random_lines(random, 14, kinds));
  }
  for (int i = 0; i < 30; ++i)
    expect_shortest(random_lines(random, 200, 3), random_lines(random, 200, 20));
}

TEST(TextDiff, OfAFewChangesInALongText) {
  std::mt19937 random(2);
  for (int i = 0; i < 30; ++i) {
    Lines before = random_lines(random, 300, 20), after = before;
    for (int change = 0; change < 6 && !after.empty(); ++change) {
      const auto at = static_cast<std::ptrdiff_t>(random() % after.size());
      if (change % 2 == 0)
        after.erase(after.begin() + at);
      else
        after.insert(after.begin() + at, "new");
    }
    expect_shortest(before, after);
  }
}

TEST(TextDiff, OfEqualTextsIsEmpty) {
  EXPECT_EQ(diff_texts("a\nb\n", "a\nb\n").hunks, "");
  EXPECT_EQ(diff_texts("", "").hunks, "");
  EXPECT_EQ(diff_texts("", "a\n").hunks, "@@ -0,0 +1,1 @@\n+a\n");
  EXPECT_EQ(diff_texts("a\n", "").hunks, "@@ -1,1 +0,0 @@\n-a\n");
}

} // namespace

} // namespace cnnc
