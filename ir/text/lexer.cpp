#include "ir/text/lexer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace cnnc {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

class Lexer {
public:
  Lexer(const std::shared_ptr<const Source> &source, Diagnostics &diagnostics)
      : source_(source), text_(source->text), diagnostics_(diagnostics) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (skip_blank(); position_ < text_.size(); skip_blank()) {
      Token token;
      uint32_t begin = position_;
      if (!read(token))
        continue;
      token.range = {source_, begin, position_};
      tokens.push_back(std::move(token));
    }
    Token end;
    end.range = {source_, position_, position_};
    tokens.push_back(end);
    return tokens;
  }

private:
  char at(size_t ahead) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }

  void skip_blank() {
    while (position_ < text_.size()) {
      if (is_space(at(0))) {
        ++position_;
      } else if (at(0) == '/' && at(1) == '/') {
        while (position_ < text_.size() && at(0) != '\n')
          ++position_;
      } else {
        return;
      }
    }
  }

  bool read(Token &token) {
    char c = at(0);
    if (is_letter(c)) {
      token.kind = TokenKind::identifier;
      token.text = read_name();
      return true;
    }
    if (is_digit(c))
      return read_number(token);
    if (c == '"') {
      token.kind = TokenKind::string;
      return read_string(token.text);
    }
    // A % or @ begins a name only when one follows directly: `t % 14` is a remainder.
    if ((c == '%' || c == '@') && (is_letter(at(1)) || is_digit(at(1)) || at(1) == '"')) {
      token.kind = c == '%' ? TokenKind::value : TokenKind::symbol;
      ++position_;
      if (at(0) == '"')
        return read_string(token.text);
      token.text = read_name();
      return true;
    }
    return read_punctuation(token);
  }

  /// Letters, digits, underscores and single dots inside: `oc.o`, but `a` in `a..b`.
  std::string read_name() {
    uint32_t begin = position_;
    while (is_letter(at(0)) || is_digit(at(0)) ||
           (at(0) == '.' && (is_letter(at(1)) || is_digit(at(1)))))
      ++position_;
    return std::string(text_.substr(begin, position_ - begin));
  }

  bool read_number(Token &token) {
    uint32_t begin = position_;
    bool fraction = false;
    while (is_digit(at(0)))
      ++position_;
    if (at(0) == '.' && is_digit(at(1))) {
      fraction = true;
      ++position_;
      while (is_digit(at(0)))
        ++position_;
    }
    bool sign = at(1) == '-' || at(1) == '+';
    if ((at(0) == 'e' || at(0) == 'E') && is_digit(at(sign ? 2 : 1))) {
      fraction = true;
      position_ += sign ? 3 : 2;
      while (is_digit(at(0)))
        ++position_;
    }
    const char *first = text_.data() + begin;
    const char *last = text_.data() + position_;
    token.kind = fraction ? TokenKind::number : TokenKind::integer;
    token.text = std::string(first, last);
    bool fits = std::from_chars(first, last, token.number).ec == std::errc();
    if (!fraction)
      fits = fits && std::from_chars(first, last, token.integer).ec == std::errc();
    if (!fits)
      diagnostics_.error({source_, begin, position_},
                         fmt::format("the number {} is out of range", token.text));
    return fits;
  }

  bool read_string(std::string &text) {
    uint32_t begin = position_++;
    while (position_ < text_.size() && at(0) != '"' && at(0) != '\n') {
      if (at(0) == '\\' && position_ + 1 < text_.size()) {
        ++position_;
        text += at(0) == 'n' ? '\n' : at(0) == 't' ? '\t' : at(0);
      } else {
        text += at(0);
      }
      ++position_;
    }
    if (at(0) != '"') {
      diagnostics_.error({source_, begin, position_}, "this string has no closing quote");
      return false;
    }
    ++position_;
    return true;
  }

  bool read_punctuation(Token &token) {
    token.kind = TokenKind::punctuation;
    for (std::string_view two : {"->", "..", "+=", "=="})
      if (text_.substr(position_, 2) == two) {
        token.text = two;
        position_ += 2;
        return true;
      }
    char c = at(0);
    ++position_;
    if (std::string_view("()[]{},:=+-*/%<>").find(c) == std::string_view::npos) {
      diagnostics_.error({source_, position_ - 1, position_},
                         fmt::format("unexpected character '{}'", c));
      return false;
    }
    token.text = c;
    return true;
  }

  std::shared_ptr<const Source> source_;
  std::string_view text_;
  Diagnostics &diagnostics_;
  uint32_t position_ = 0;
};

std::string describe(const Token &token) {
  switch (token.kind) {
  case TokenKind::end:
    return "the end of the text";
  case TokenKind::value:
    return "%" + format_name(token.text);
  case TokenKind::symbol:
    return "@" + format_name(token.text);
  case TokenKind::string:
    return quote(token.text);
  default:
    return "'" + token.text + "'";
  }
}

} // namespace

std::vector<Token> tokenize(const std::shared_ptr<const Source> &source, Diagnostics &diagnostics) {
  return Lexer(source, diagnostics).run();
}

Token TokenCursor::next() {
  Token token = peek();
  if (position_ + 1 < tokens_.size())
    ++position_;
  return token;
}

bool TokenCursor::is(std::string_view punctuation) const {
  return peek().kind == TokenKind::punctuation && peek().text == punctuation;
}

bool TokenCursor::is_word(std::string_view identifier) const {
  return peek().kind == TokenKind::identifier && peek().text == identifier;
}

bool TokenCursor::accept(std::string_view punctuation) {
  if (!is(punctuation))
    return false;
  next();
  return true;
}

bool TokenCursor::accept_word(std::string_view identifier) {
  if (!is_word(identifier))
    return false;
  next();
  return true;
}

bool TokenCursor::expect(std::string_view punctuation) {
  if (accept(punctuation))
    return true;
  return error(fmt::format("expected '{}', found {}", punctuation, describe(peek())));
}

std::optional<Token> TokenCursor::expect(TokenKind kind, std::string_view what) {
  if (peek().kind == kind)
    return next();
  error(fmt::format("expected {}, found {}", what, describe(peek())));
  return std::nullopt;
}

std::optional<int64_t> TokenCursor::expect_integer(std::string_view what) {
  bool negative = accept("-");
  std::optional<Token> token = expect(TokenKind::integer, what);
  if (!token)
    return std::nullopt;
  return negative ? -token->integer : token->integer;
}

std::optional<double> TokenCursor::expect_number(std::string_view what) {
  double sign = accept("-") ? -1.0 : 1.0;
  if (accept_word("inf"))
    return sign * std::numeric_limits<double>::infinity();
  if (accept_word("nan"))
    return std::numeric_limits<double>::quiet_NaN();
  if (peek().kind == TokenKind::integer || peek().kind == TokenKind::number)
    return sign * next().number;
  error(fmt::format("expected {}, found {}", what, describe(peek())));
  return std::nullopt;
}

bool TokenCursor::error(std::string message) {
  error_at(peek().range, std::move(message));
  return false;
}

void TokenCursor::error_at(const SourceRange &range, std::string message) {
  diagnostics_.error(range, std::move(message));
}

std::string format_name(std::string_view name) {
  bool plain = !name.empty() && name.front() != '.' && name.back() != '.' &&
               name.find("..") == std::string_view::npos;
  for (char c : name)
    plain = plain && (is_letter(c) || is_digit(c) || c == '.');
  return plain ? std::string(name) : quote(name);
}

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + "\"";
}

std::string format_number(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value < 0 ? "-inf" : "inf";
  return fmt::format("{}", value);
}

SourceRange join(const SourceRange &first, const SourceRange &last) {
  return first.known() ? SourceRange{first.source, first.begin, std::max(first.end, last.end)}
                       : last;
}

} // namespace cnnc
