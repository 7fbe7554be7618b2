#include "compiler/lsp/protocol.h"

namespace cnnc::lsp {

bool fromJSON(const json::Value &value, RenameParams &result, json::Path path) {
  json::ObjectMapper map(value, path);
  return map && map.map("textDocument", result.textDocument) &&
         map.map("position", result.position) && map.map("newName", result.newName);
}

bool fromJSON(const json::Value &value, FormattingParams &result, json::Path path) {
  json::ObjectMapper map(value, path);
  return map && map.map("textDocument", result.textDocument);
}

protocol::Position position_in(const Document &document, uint32_t offset) {
  const TextPosition position = document.positions().position(offset);
  return {position.line, position.character};
}

protocol::Range range_in(const Document &document, const SourceRange &range) {
  return {position_in(document, range.begin), position_in(document, range.end)};
}

uint32_t offset_in(const TextPositions &positions, const protocol::Position &position) {
  return positions.offset({position.line, position.character});
}

std::vector<protocol::Diagnostic> diagnostics_of(const Document &document,
                                                 const protocol::URIForFile &uri) {
  std::vector<protocol::Diagnostic> result;
  for (const Diagnostic &diagnostic : document.diagnostics()) {
    const protocol::Range range = range_in(document, diagnostic.range);
    if (diagnostic.severity == Severity::note && !result.empty()) {
      auto &notes = result.back().relatedInformation;
      if (!notes)
        notes.emplace();
      notes->emplace_back(protocol::Location(uri, range), diagnostic.message);
      continue;
    }
    if (result.size() == most_diagnostics)
      break;
    protocol::Diagnostic &shown = result.emplace_back();
    shown.range = range;
    shown.severity = diagnostic.severity == Severity::error ? protocol::DiagnosticSeverity::Error
                                                            : protocol::DiagnosticSeverity::Warning;
    shown.source = "cnnc";
    shown.message = diagnostic.message;
  }
  return result;
}

static protocol::SymbolKind kind_of(SymbolKind kind) {
  switch (kind) {
  case SymbolKind::model:
    return protocol::SymbolKind::Module;
  case SymbolKind::kernel:
    return protocol::SymbolKind::Function;
  case SymbolKind::input:
    return protocol::SymbolKind::Property;
  case SymbolKind::constant:
    return protocol::SymbolKind::Constant;
  case SymbolKind::value:
    return protocol::SymbolKind::Variable;
  }
  return protocol::SymbolKind::Variable;
}

protocol::DocumentSymbol symbol_in(const Document &document, const Symbol &symbol) {
  protocol::DocumentSymbol result(symbol.name, kind_of(symbol.kind),
                                  range_in(document, symbol.range),
                                  range_in(document, symbol.name_range));
  result.detail = symbol.detail;
  for (const Symbol &child : symbol.children)
    result.children.push_back(symbol_in(document, child));
  return result;
}

std::string changed(std::string text,
                    const std::vector<protocol::TextDocumentContentChangeEvent> &changes) {
  for (const protocol::TextDocumentContentChangeEvent &change : changes) {
    if (!change.range) {
      text = change.text;
      continue;
    }
    const TextPositions positions(text);
    const uint32_t begin = offset_in(positions, change.range->start);
    const uint32_t end = std::max(begin, offset_in(positions, change.range->end));
    text.replace(begin, end - begin, change.text);
  }
  return text;
}

} // namespace cnnc::lsp
