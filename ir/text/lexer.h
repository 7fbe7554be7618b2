// Tokens of both texts, graph and loops, and the cursor from which the parsers read.
#pragma once

#include "ir/text/diagnostics.h"

#include <optional>

namespace cnnc {

enum class TokenKind {
  end,
  identifier,  // conv2d, oc.o
  value,       // %image, %"odd name"; `text` holds the name alone
  symbol,      // @lenet, likewise
  integer,     // 42
  number,      // 0.5, 1e-5
  string,      // "conv1.weight"; `text` holds the contents
  punctuation, // ( ) [ ] { } , : = + - * / % < > and -> .. += ==
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  int64_t integer = 0;
  double number = 0;
  SourceRange range;
};

/// Splits a whole source; unknown characters, unterminated strings and numbers that do not fit are
/// reported and skipped. The last token is always `end`.
std::vector<Token> tokenize(const std::shared_ptr<const Source> &source, Diagnostics &diagnostics);

/// A read position in a token list, with the few questions that recursive descent asks.
class TokenCursor {
public:
  TokenCursor(std::vector<Token> tokens, Diagnostics &diagnostics)
      : tokens_(std::move(tokens)), diagnostics_(diagnostics) {}

  const Token &peek(size_t ahead = 0) const {
    return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
  }
  const Token &previous() const { return tokens_[position_ == 0 ? 0 : position_ - 1]; }
  Token next();
  bool at_end() const { return peek().kind == TokenKind::end; }
  bool is(std::string_view punctuation) const;
  bool is_word(std::string_view identifier) const;
  /// Consumes the token when it matches.
  bool accept(std::string_view punctuation);
  bool accept_word(std::string_view identifier);
  /// Consumes the token or reports `expected X, found Y`.
  bool expect(std::string_view punctuation);
  std::optional<Token> expect(TokenKind kind, std::string_view what);
  /// An integer with an optional minus sign.
  std::optional<int64_t> expect_integer(std::string_view what);
  /// An integer or decimal number, `inf` or `nan`, with an optional minus sign.
  std::optional<double> expect_number(std::string_view what);

  /// Reports at the current token. Returns false, so that parsers can `return cursor.error(...)`.
  bool error(std::string message);
  void error_at(const SourceRange &range, std::string message);
  Diagnostics &diagnostics() { return diagnostics_; }

private:
  std::vector<Token> tokens_;
  size_t position_ = 0;
  Diagnostics &diagnostics_;
};

/// `name` as it stands in the text after % or @: bare, or quoted when it has unusual characters.
std::string format_name(std::string_view name);
/// `text` in quotes, with escapes.
std::string quote(std::string_view text);
/// The shortest decimal text that reads back as exactly this double; inf and nan by name.
std::string format_number(double value);

/// The range from the first byte of `first` to the last of `last`.
SourceRange join(const SourceRange &first, const SourceRange &last);

} // namespace cnnc
