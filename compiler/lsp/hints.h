// The types that a text leaves out, shown behind its statements.
#pragma once

#include "compiler/lsp/document.h"

namespace cnnc::lsp {

struct Hint {
  uint32_t offset = 0; // the end of the statement
  std::string text;    // `: f32[1, 6, 28, 28]`
};

/// For all statements that state no types and have some, which begin in [begin, end).
std::vector<Hint> type_hints(const Document &document, uint32_t begin, uint32_t end);

} // namespace cnnc::lsp
