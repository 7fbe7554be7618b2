#include "compiler/lsp/outline.h"

#include "ir/graph/parser.h"

namespace cnnc::lsp {

namespace {

class Outline {
public:
  explicit Outline(const std::vector<Token> &tokens)
      : tokens_(tokens), cursor_(tokens, ignored_), count_(tokens.size() - 1) {}

  std::vector<Section> sections() {
    std::vector<Section> result;
    for (size_t i = 0; i < count_;) {
      if (begins("model", i))
        result.push_back(model(i));
      else if (begins("kernel", i))
        result.push_back(loops(i));
      i = result.empty() || result.back().end <= i ? i + 1 : result.back().end;
    }
    return result;
  }

private:
  /// `model @name` or `kernel @name`: the words alone may be names of attributes.
  bool begins(std::string_view word, size_t i) const {
    return tokens_[i].kind == TokenKind::identifier && tokens_[i].text == word &&
           cursor_.peek(i + 1).kind == TokenKind::symbol;
  }

  /// A kernel of loops, whose buffers are no values, stands in no model, whatever is not closed.
  bool begins_next_section(size_t i) const {
    return begins("model", i) ||
           (begins("kernel", i) && cursor_.peek(i + 3).kind == TokenKind::identifier);
  }

  Section loops(size_t first) const {
    Section section{false, first, first + 2, {}};
    for (int depth = 0; section.end < count_ && !begins_next_section(section.end);) {
      const Token &token = tokens_[section.end++];
      depth += is_punctuation(token, "{") - is_punctuation(token, "}");
      if (depth <= 0 && is_punctuation(token, "}"))
        break;
    }
    return section;
  }

  std::optional<PieceKind> piece_at(size_t i, const Piece &open) const {
    if (begins("kernel", i))
      return PieceKind::kernel;
    const bool header = open.kind == PieceKind::model || open.kind == PieceKind::kernel;
    const bool in_header = header && !is_punctuation(tokens_[i - 1], "{");
    if (is_punctuation(tokens_[i], "}"))
      return PieceKind::close;
    // `%a, %b =` begins once.
    const bool in_list = open.kind == PieceKind::definition &&
                         is_punctuation(tokens_[i - 1], ",") &&
                         defined_values(tokens_, {open.kind, open.first, i + 1}).size() > 1;
    if (begins_definition(cursor_, i) && !in_list)
      return PieceKind::definition;
    const bool word = tokens_[i].kind == TokenKind::identifier && tokens_[i].text == "return";
    if (word && !in_header && !is_punctuation(tokens_[i - 1], "="))
      return PieceKind::output;
    return std::nullopt;
  }

  Section model(size_t first) const {
    Section section{true, first, first + 2, {{PieceKind::model, first, first + 2}}};
    int depth = 0;
    for (size_t i = first + 2; i < count_ && (depth > 0 || !ended(section)); ++i) {
      if (begins_next_section(i))
        break;
      if (std::optional<PieceKind> kind = piece_at(i, section.pieces.back()))
        section.pieces.push_back({*kind, i, i});
      depth += is_punctuation(tokens_[i], "{") - is_punctuation(tokens_[i], "}");
      section.pieces.back().end = section.end = i + 1;
    }
    return section;
  }

  static bool ended(const Section &section) {
    return section.pieces.back().kind == PieceKind::close;
  }

  const std::vector<Token> &tokens_;
  Diagnostics ignored_;
  TokenCursor cursor_;
  size_t count_; // without the end
};

} // namespace

bool is_punctuation(const Token &token, std::string_view text) {
  return token.kind == TokenKind::punctuation && token.text == text;
}

std::vector<size_t> defined_values(const std::vector<Token> &tokens, const Piece &piece) {
  std::vector<size_t> result;
  for (size_t i = piece.first; i < piece.end && !is_punctuation(tokens[i], "="); ++i)
    if (tokens[i].kind == TokenKind::value)
      result.push_back(i);
  return result;
}

std::vector<Section> outline(const std::vector<Token> &tokens) {
  return Outline(tokens).sections();
}

} // namespace cnnc::lsp
