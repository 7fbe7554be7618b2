// The printer's spelling for a text that people write, comments included.
#pragma once

#include "compiler/lsp/document.h"

namespace cnnc::lsp {

struct Edit {
  SourceRange range;
  std::string text; // in its place
};

/// What makes every line one that the printer writes; the edits do not overlap. Comments stay:
/// those on lines of their own move to the indentation of what follows, those behind a statement
/// stay behind it. A statement with a comment inside of it stays as it is but for its indentation,
/// and so does a kernel of loops. Blank lines stay, one for several. Nothing for a text that cannot
/// be read.
std::vector<Edit> format(const Document &document);

/// The text after edits that do not overlap and are in their order.
std::string edited(const std::string &text, const std::vector<Edit> &edits);

} // namespace cnnc::lsp
