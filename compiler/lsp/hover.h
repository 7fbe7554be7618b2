// What an editor shows about a value, an op or an attribute under the mouse.
#pragma once

#include "compiler/lsp/document.h"

namespace cnnc::lsp {

struct HoverText {
  std::string markdown;
  SourceRange range; // of what it is about
};

/// Empty where there is nothing to say.
std::optional<HoverText> hover_at(const Document &document, uint32_t offset);

/// An op for people: what it computes, its operands and attributes, in Markdown.
std::string describe(const OpInfo &op);

} // namespace cnnc::lsp
