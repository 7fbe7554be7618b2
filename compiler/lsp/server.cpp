#include "compiler/lsp/server.h"

#include "compiler/cnnc.h"
#include "compiler/lsp/completion.h"
#include "compiler/lsp/formatting.h"
#include "compiler/lsp/hints.h"
#include "compiler/lsp/hover.h"
#include "compiler/lsp/occurrences.h"
#include "compiler/lsp/protocol.h"

#include <algorithm>
#include <fmt/format.h>
#include <llvm/Support/LSP/Transport.h>
#include <map>

namespace cnnc::lsp {

namespace {

using Answer = llvm::Expected<json::Value>;

/// A text in the editor.
struct OpenText {
  protocol::URIForFile uri;
  std::unique_ptr<Document> document;

  uint32_t offset(const protocol::Position &position) const {
    return offset_in(document->positions(), position);
  }
  protocol::Range range(const SourceRange &range) const { return range_in(*document, range); }
};

llvm::Error error(std::string message, protocol::ErrorCode code) {
  return llvm::make_error<protocol::LSPError>(std::move(message), code);
}

/// Owns its address, as protocol::Location in JSON does not.
json::Object location(const OpenText &text, const SourceRange &range) {
  return json::Object{{"uri", text.uri.uri().str()}, {"range", text.range(range)}};
}

Answer hover(const OpenText &text, const protocol::TextDocumentPositionParams &params) {
  const std::optional<HoverText> found = hover_at(*text.document, text.offset(params.position));
  if (!found)
    return nullptr;
  protocol::Hover hover(text.range(found->range));
  hover.contents.value = found->markdown;
  return hover;
}

Answer definition(const OpenText &text, const protocol::TextDocumentPositionParams &params) {
  json::Array places;
  for (const Occurrence &place : occurrences_at(*text.document, text.offset(params.position)))
    if (place.definition)
      places.push_back(location(text, place.range));
  return places;
}

Answer references(const OpenText &text, const protocol::ReferenceParams &params) {
  json::Array places;
  for (const Occurrence &place : occurrences_at(*text.document, text.offset(params.position)))
    if (params.context.includeDeclaration || !place.definition)
      places.push_back(location(text, place.range));
  return places;
}

Answer highlights(const OpenText &text, const protocol::TextDocumentPositionParams &params) {
  constexpr int read = 2, write = 3; // DocumentHighlightKind
  json::Array places;
  for (const Occurrence &place : occurrences_at(*text.document, text.offset(params.position)))
    places.push_back(json::Object{{"range", text.range(place.range)},
                                  {"kind", place.definition ? write : read}});
  return places;
}

Answer prepare_rename(const OpenText &text, const protocol::TextDocumentPositionParams &params) {
  const uint32_t offset = text.offset(params.position);
  if (occurrences_at(*text.document, offset).empty())
    return nullptr;
  return text.range(text.document->token_at(offset)->range);
}

Answer rename(const OpenText &text, const RenameParams &params) {
  const uint32_t offset = text.offset(params.position);
  const NewName name = new_name_at(*text.document, offset, params.newName);
  if (!name.refusal.empty())
    return error(name.refusal, protocol::ErrorCode::RequestFailed);
  protocol::WorkspaceEdit edit;
  std::vector<protocol::TextEdit> &edits = edit.changes[text.uri.uri().str()];
  for (const Occurrence &place : occurrences_at(*text.document, offset))
    edits.push_back({text.range(place.range), name.spelling});
  return edit;
}

Answer symbols(const OpenText &text, const protocol::DocumentSymbolParams &) {
  json::Array result;
  for (const Symbol &symbol : symbols_of(*text.document))
    result.push_back(symbol_in(*text.document, symbol));
  return result;
}

protocol::CompletionItemKind kind_of(ProposalKind kind) {
  switch (kind) {
  case ProposalKind::op:
    return protocol::CompletionItemKind::Function;
  case ProposalKind::value:
    return protocol::CompletionItemKind::Variable;
  case ProposalKind::attribute:
    return protocol::CompletionItemKind::Property;
  case ProposalKind::word:
    return protocol::CompletionItemKind::EnumMember;
  }
  return protocol::CompletionItemKind::Text;
}

Answer completion(const OpenText &text, const protocol::CompletionParams &params) {
  const Proposals proposals = proposals_at(*text.document, text.offset(params.position));
  protocol::CompletionList list;
  list.isIncomplete = !proposals.complete;
  for (const Proposal &proposal : proposals.all) {
    const std::string place = fmt::format("{:05}", list.items.size()); // clients sort by it
    protocol::CompletionItem &item =
        list.items.emplace_back(proposal.text, kind_of(proposal.kind), place);
    item.detail = proposal.detail;
    item.filterText = proposal.text;
    item.textEdit = protocol::TextEdit{text.range(proposals.replaced), proposal.text};
    if (!proposal.documentation.empty())
      item.documentation = {protocol::MarkupKind::Markdown, proposal.documentation};
  }
  return list;
}

Answer formatting(const OpenText &text, const FormattingParams &) {
  json::Array edits;
  for (const Edit &edit : format(*text.document))
    edits.push_back(protocol::TextEdit{text.range(edit.range), edit.text});
  return edits;
}

Answer hints(const OpenText &text, const protocol::InlayHintsParams &params) {
  json::Array result;
  for (const Hint &hint :
       type_hints(*text.document, text.offset(params.range.start), text.offset(params.range.end))) {
    protocol::InlayHint shown(protocol::InlayHintKind::Type,
                              position_in(*text.document, hint.offset));
    shown.label = hint.text;
    shown.paddingLeft = true;
    result.push_back(shown);
  }
  return result;
}

json::Object capabilities() {
  return json::Object{
      {"textDocumentSync",
       json::Object{{"openClose", true},
                    {"change", static_cast<int>(protocol::TextDocumentSyncKind::Incremental)}}},
      {"hoverProvider", true},
      {"definitionProvider", true},
      {"referencesProvider", true},
      {"documentHighlightProvider", true},
      {"documentSymbolProvider", true},
      {"renameProvider", json::Object{{"prepareProvider", true}}},
      {"completionProvider", json::Object{{"triggerCharacters", {"%", "="}}}},
      {"documentFormattingProvider", true},
      {"inlayHintProvider", true}};
}

class Server {
public:
  explicit Server(protocol::JSONTransport &transport) : messages_(transport) {
    messages_.method("initialize", this, &Server::initialize);
    messages_.notification("initialized", this, &Server::initialized);
    messages_.method("shutdown", this, &Server::shut_down);
    messages_.notification("textDocument/didOpen", this, &Server::opened);
    messages_.notification("textDocument/didChange", this, &Server::changed_by_editor);
    messages_.notification("textDocument/didClose", this, &Server::closed);
    answer<protocol::TextDocumentPositionParams, hover>("textDocument/hover");
    answer<protocol::TextDocumentPositionParams, definition>("textDocument/definition");
    answer<protocol::ReferenceParams, references>("textDocument/references");
    answer<protocol::TextDocumentPositionParams, highlights>("textDocument/documentHighlight");
    answer<protocol::TextDocumentPositionParams, prepare_rename>("textDocument/prepareRename");
    answer<RenameParams, rename>("textDocument/rename");
    answer<protocol::DocumentSymbolParams, symbols>("textDocument/documentSymbol");
    answer<protocol::CompletionParams, completion>("textDocument/completion");
    answer<FormattingParams, formatting>("textDocument/formatting");
    answer<protocol::InlayHintsParams, hints>("textDocument/inlayHint");
    publish_ = messages_.outgoingNotification<protocol::PublishDiagnosticsParams>(
        "textDocument/publishDiagnostics");
  }

  protocol::MessageHandler &messages() { return messages_; }
  bool is_shut_down() const { return state_ == State::shut_down; }

private:
  enum class State { started, running, shut_down };

  template <class Params, Answer (*function)(const OpenText &, const Params &)>
  void answer(llvm::StringLiteral method) {
    messages_.method(method, this, &Server::respond<Params, function>);
  }

  template <class Params, Answer (*function)(const OpenText &, const Params &)>
  void respond(const Params &params, protocol::Callback<json::Value> reply) {
    if (state_ == State::started)
      return reply(error("expected initialize before any other request",
                         protocol::ErrorCode::ServerNotInitialized));
    if (state_ == State::shut_down)
      return reply(error("this server is shut down: only exit can follow",
                         protocol::ErrorCode::InvalidRequest));
    const auto found = texts_.find(params.textDocument.uri.file().str());
    if (found == texts_.end())
      return reply(error(fmt::format("'{}' is not open: send textDocument/didOpen before",
                                     params.textDocument.uri.uri().str()),
                         protocol::ErrorCode::InvalidParams));
    reply(function(found->second, params));
  }

  void initialize(const protocol::InitializeParams &, protocol::Callback<json::Value> reply) {
    if (state_ != State::started)
      return reply(error("initialize comes once, and first", protocol::ErrorCode::InvalidRequest));
    state_ = State::running;
    reply(json::Object{{"capabilities", capabilities()},
                       {"serverInfo", json::Object{{"name", "cnnc"}, {"version", version()}}}});
  }
  void initialized(const protocol::InitializedParams &) {}
  void shut_down(const protocol::NoParams &, protocol::Callback<json::Value> reply) {
    state_ = State::shut_down;
    reply(nullptr);
  }

  void opened(const protocol::DidOpenTextDocumentParams &params) {
    const protocol::TextDocumentItem &item = params.textDocument;
    show(item.uri, item.version, item.text);
  }
  void changed_by_editor(const protocol::DidChangeTextDocumentParams &params) {
    const protocol::URIForFile &uri = params.textDocument.uri;
    if (const auto found = texts_.find(uri.file().str()); found != texts_.end())
      show(uri, params.textDocument.version,
           changed(found->second.document->text(), params.contentChanges));
  }
  void closed(const protocol::DidCloseTextDocumentParams &params) {
    texts_.erase(params.textDocument.uri.file().str());
    publish_({params.textDocument.uri, 0});
  }

  /// Reads a text and says what is wrong with it.
  void show(const protocol::URIForFile &uri, int64_t version, std::string text) {
    const std::string file = uri.file().str();
    OpenText &open = texts_[file];
    open = {uri, std::make_unique<Document>(file, std::move(text))};
    protocol::PublishDiagnosticsParams shown(uri, version);
    shown.diagnostics = diagnostics_of(*open.document, uri);
    publish_(shown);
  }

  State state_ = State::started;
  std::map<std::string, OpenText> texts_; // by file
  protocol::MessageHandler messages_;
  protocol::OutgoingNotification<protocol::PublishDiagnosticsParams> publish_;
};

} // namespace

bool serve() {
  protocol::JSONTransport transport(stdin, llvm::outs());
  Server server(transport);
  if (llvm::Error end_of_input = transport.run(server.messages())) {
    llvm::consumeError(std::move(end_of_input));
    return false;
  }
  return server.is_shut_down();
}

} // namespace cnnc::lsp
