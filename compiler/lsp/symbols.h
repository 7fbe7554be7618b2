// The table of contents of a text.
#pragma once

#include "compiler/lsp/document.h"

namespace cnnc::lsp {

enum class SymbolKind { model, kernel, input, constant, value };

struct Symbol {
  SymbolKind kind = SymbolKind::value;
  std::string name;   // as the text has it: %x, @lenet
  std::string detail; // type of a value, where it is known
  SourceRange range;  // all of it
  SourceRange name_range;
  std::vector<Symbol> children; // of a model its inputs, kernels and values; of a kernel its values
};

std::vector<Symbol> symbols_of(const Document &document);

} // namespace cnnc::lsp
