#include "compiler/lsp/occurrences.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc::lsp {

namespace {

/// The value at a byte, and the model in which it stands.
struct Place {
  const Section *model = nullptr;
  const Token *value = nullptr;
};

Place place_at(const Document &document, uint32_t offset) {
  const Section *section = document.section_at(offset);
  const Token *token = document.token_at(offset);
  const bool found = section && section->is_model && token && token->kind == TokenKind::value;
  return found ? Place{section, token} : Place{};
}

bool defines(const std::vector<Token> &tokens, const Piece &piece, size_t token) {
  if (piece.kind == PieceKind::model)
    return true;
  if (piece.kind != PieceKind::definition)
    return false;
  const std::vector<size_t> defined = defined_values(tokens, piece);
  return std::ranges::find(defined, token) != defined.end();
}

std::vector<Occurrence> occurrences(const Document &document, const Section &model,
                                    std::string_view name) {
  std::vector<Occurrence> result;
  const std::vector<Token> &tokens = document.tokens();
  for (const Piece &piece : model.pieces)
    for (size_t i = piece.first; i < piece.end; ++i)
      if (tokens[i].kind == TokenKind::value && tokens[i].text == name)
        result.push_back({tokens[i].range, defines(tokens, piece, i)});
  return result;
}

/// The name that a text means, with the `%` or without; empty when it is none.
std::optional<std::string> read_name(std::string_view typed) {
  const std::string text = (typed.starts_with('%') ? "" : "%") + std::string(typed);
  const auto source = std::make_shared<const Source>(Source{"", text});
  Diagnostics ignored;
  const std::vector<Token> tokens = tokenize(source, ignored);
  const bool name = tokens.size() == 2 && tokens[0].kind == TokenKind::value &&
                    tokens[0].range.end == text.size() && !tokens[0].text.empty();
  return name && !ignored.has_errors() ? std::optional(tokens[0].text) : std::nullopt;
}

} // namespace

std::vector<Occurrence> occurrences_at(const Document &document, uint32_t offset) {
  const Place place = place_at(document, offset);
  return place.model ? occurrences(document, *place.model, place.value->text)
                     : std::vector<Occurrence>();
}

NewName new_name_at(const Document &document, uint32_t offset, std::string_view typed) {
  const Place place = place_at(document, offset);
  if (!place.model)
    return {"", "only values have other names: put the cursor on one, as in %x"};
  const std::optional<std::string> name = read_name(typed);
  if (!name)
    return {"", fmt::format("'{}' is no name: letters, digits, underscores and inner dots, or in "
                            "quotes as in \"block/conv:0\"",
                            typed)};
  const std::string spelling = "%" + format_name(*name);
  if (*name != place.value->text && !occurrences(document, *place.model, *name).empty())
    return {"", fmt::format("{} stands in this model already: choose another name", spelling)};
  return {spelling, ""};
}

} // namespace cnnc::lsp
