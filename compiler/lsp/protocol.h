// What LLVM's library does not know of the protocol, and ours in its types.
#pragma once

#include "compiler/lsp/document.h"
#include "compiler/lsp/symbols.h"

#include <llvm/Support/LSP/Protocol.h>

namespace cnnc::lsp {

namespace protocol = llvm::lsp;
namespace json = llvm::json;

struct RenameParams : protocol::TextDocumentPositionParams {
  std::string newName;
};
bool fromJSON(const json::Value &value, RenameParams &result, json::Path path);

struct FormattingParams {
  protocol::TextDocumentIdentifier textDocument;
};
bool fromJSON(const json::Value &value, FormattingParams &result, json::Path path);

/// The ranges of an open text as the editor counts them, and back.
protocol::Range range_in(const Document &document, const SourceRange &range);
protocol::Position position_in(const Document &document, uint32_t offset);
uint32_t offset_in(const TextPositions &positions, const protocol::Position &position);

/// Errors and warnings, each with the notes that belong to it; as many as people may want to see.
constexpr size_t most_diagnostics = 500;
std::vector<protocol::Diagnostic> diagnostics_of(const Document &document,
                                                 const protocol::URIForFile &uri);

protocol::DocumentSymbol symbol_in(const Document &document, const Symbol &symbol);

/// The text after the changes of an editor, each of which counts in the text after those before it.
std::string changed(std::string text,
                    const std::vector<protocol::TextDocumentContentChangeEvent> &changes);

} // namespace cnnc::lsp
