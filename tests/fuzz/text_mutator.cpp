#include "tests/fuzz/text_mutator.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <vector>

namespace cnnc::fuzz {

namespace {

/// Sizes around those of vectors, tiles and types, and what overflows.
constexpr std::array awkward_numbers = {
    "0",  "1",  "2",  "3",   "5",          "7",          "8",
    "16", "17", "-1", "0.5", "2147483647", "4294967296", "9223372036854775807",
    "-2", "64", "inf"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

/// Words (names and numbers with their % or @), single other characters, and white space.
std::vector<std::string> split_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  for (size_t begin = 0; begin < text.size();) {
    auto belongs = [&](size_t at) {
      return std::isspace(static_cast<unsigned char>(text[begin]))
                 ? std::isspace(static_cast<unsigned char>(text[at])) != 0
                 : is_word(text[at]);
    };
    size_t end = begin + 1;
    bool joins = is_word(text[begin]) || std::isspace(static_cast<unsigned char>(text[begin])) ||
                 text[begin] == '%' || text[begin] == '@';
    while (joins && end < text.size() && belongs(end))
      ++end;
    tokens.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return tokens;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return lines;
}

char kind_of(const std::string &token) {
  if (token[0] == '%' || token[0] == '@')
    return token[0];
  if (std::isdigit(static_cast<unsigned char>(token[0])))
    return '0';
  return std::isalpha(static_cast<unsigned char>(token[0])) ? 'a' : token[0];
}

class Mutator {
public:
  explicit Mutator(std::mt19937 &random) : random_(random) {}

  void change_token(std::vector<std::string> &tokens) {
    size_t at = below(tokens.size());
    std::string &token = tokens[at];
    switch (below(6)) {
    case 0:
      token.clear();
      break;
    case 1:
      token += token;
      break;
    case 2:
      std::swap(token, tokens[below(tokens.size())]);
      break;
    case 3:
      if (kind_of(token) == '0')
        token = awkward_numbers[below(awkward_numbers.size())];
      break;
    default:
      if (const std::string *other = like(tokens, token))
        token = *other;
      break;
    }
  }

  void change_line(std::vector<std::string> &lines) {
    size_t at = below(lines.size());
    switch (below(3)) {
    case 0:
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size())), lines[at]);
      break;
    default:
      std::swap(lines[at], lines[below(lines.size())]);
      break;
    }
  }

  size_t below(size_t count) { return random_() % count; }

private:
  /// Another token of the same kind; null when a few tries find none.
  const std::string *like(const std::vector<std::string> &tokens, const std::string &token) {
    for (int i = 0; i < 20; ++i) {
      const std::string &other = tokens[below(tokens.size())];
      if (!other.empty() && kind_of(other) == kind_of(token) && other != token)
        return &other;
    }
    return nullptr;
  }

  std::mt19937 &random_;
};

std::string join(const std::vector<std::string> &pieces) {
  std::string text;
  for (const std::string &piece : pieces)
    text += piece;
  return text;
}

} // namespace

std::string mutate_text(std::string_view text, size_t most, std::mt19937 &random) {
  Mutator mutator(random);
  std::string result(text);
  for (size_t changes = 1 + mutator.below(4); changes > 0 && !result.empty(); --changes) {
    bool lines = mutator.below(4) == 0;
    std::vector<std::string> pieces = lines ? split_lines(result) : split_tokens(result);
    lines ? mutator.change_line(pieces) : mutator.change_token(pieces);
    result = join(pieces);
  }
  result.resize(std::min(result.size(), most));
  return result;
}

} // namespace cnnc::fuzz
