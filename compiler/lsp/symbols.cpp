#include "compiler/lsp/symbols.h"

namespace cnnc::lsp {

namespace {

Symbol named(SymbolKind kind, const Token &name, const SourceRange &range) {
  const char sign = name.kind == TokenKind::value ? '%' : '@';
  return {kind, sign + format_name(name.text), "", range, name.range, {}};
}

class ModelSymbols {
public:
  ModelSymbols(const Document &document, const Section &section)
      : document_(document), tokens_(document.tokens()), section_(section),
        model_(document.model_of(section)),
        root_(named(SymbolKind::model, section.name(tokens_), document.range_of(section))) {}

  Symbol operator()() {
    for (const Piece &piece : section_.pieces)
      add(piece);
    return std::move(root_);
  }

private:
  void add(const Piece &piece) {
    switch (piece.kind) {
    case PieceKind::model:
      for (size_t i = piece.first; i < piece.end; ++i)
        if (tokens_[i].kind == TokenKind::value)
          add_value(SymbolKind::input, tokens_[i], tokens_[i].range);
      break;
    case PieceKind::kernel:
      root_.children.push_back(
          named(SymbolKind::kernel, tokens_[piece.first + 1], document_.range_of(piece)));
      in_kernel_ = true;
      break;
    case PieceKind::definition:
      for (size_t i : defined_values(tokens_, piece))
        add_value(SymbolKind::value, tokens_[i], document_.range_of(piece));
      break;
    case PieceKind::close:
      if (in_kernel_)
        root_.children.back().range = join(root_.children.back().range, document_.range_of(piece));
      in_kernel_ = false;
      break;
    case PieceKind::output:
      in_kernel_ = false;
      break;
    }
  }

  void add_value(SymbolKind kind, const Token &name, const SourceRange &range) {
    Symbol symbol = named(kind, name, range);
    const std::optional<ValueId> id = model_ ? model_->graph.find_value(name.text) : std::nullopt;
    if (id) {
      symbol.detail = to_string(model_->graph.type(*id));
      symbol.kind = model_->graph.is_constant(*id) ? SymbolKind::constant : kind;
    }
    Symbol &parent = in_kernel_ ? root_.children.back() : root_;
    if (in_kernel_)
      parent.range = join(parent.range, range);
    parent.children.push_back(std::move(symbol));
  }

  const Document &document_;
  const std::vector<Token> &tokens_;
  const Section &section_;
  const CheckedModel *model_;
  Symbol root_;
  bool in_kernel_ = false;
};

} // namespace

std::vector<Symbol> symbols_of(const Document &document) {
  std::vector<Symbol> symbols;
  for (const Section &section : document.sections())
    symbols.push_back(section.is_model ? ModelSymbols(document, section)()
                                       : named(SymbolKind::kernel, section.name(document.tokens()),
                                               document.range_of(section)));
  return symbols;
}

} // namespace cnnc::lsp
