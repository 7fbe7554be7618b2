#include "compiler/lsp/hints.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc::lsp {

namespace {

bool states_type(const std::vector<Token> &tokens, const Piece &piece) {
  for (size_t i = piece.first; i < piece.end; ++i)
    if (is_punctuation(tokens[i], ":"))
      return true;
  return false;
}

/// Empty when one of the values has no right type.
std::string types_of(const Graph &graph, const std::vector<Token> &tokens, const Piece &piece) {
  std::vector<std::string> types;
  for (size_t i : defined_values(tokens, piece)) {
    const std::optional<ValueId> id = graph.find_value(tokens[i].text);
    if (!id || graph.value(*id).range.begin != tokens[i].range.begin)
      return "";
    types.push_back(to_string(graph.type(*id)));
  }
  return types.empty() ? "" : fmt::format(": {}", fmt::join(types, ", "));
}

} // namespace

std::vector<Hint> type_hints(const Document &document, uint32_t begin, uint32_t end) {
  std::vector<Hint> hints;
  for (const Section &section : document.sections()) {
    const CheckedModel *model = document.model_of(section);
    for (const Piece &piece : section.pieces) {
      const SourceRange range = document.range_of(piece);
      if (!model || piece.kind != PieceKind::definition || range.begin < begin ||
          range.begin >= end || states_type(document.tokens(), piece))
        continue;
      if (std::string types = types_of(model->graph, document.tokens(), piece); !types.empty())
        hints.push_back({range.end, std::move(types)});
    }
  }
  return hints;
}

} // namespace cnnc::lsp
