// Where a %value of a model is defined and used.
#pragma once

#include "compiler/lsp/document.h"

namespace cnnc::lsp {

struct Occurrence {
  SourceRange range;
  bool definition = false;
};

/// All places in the text that mean the value at a byte, in their order; empty where there is none.
std::vector<Occurrence> occurrences_at(const Document &document, uint32_t offset);

/// How a new name of the value at a byte is written, after what somebody typed: `name`, `%name`,
/// or in quotes with other characters. Otherwise the reason why the value cannot have that name.
struct NewName {
  std::string spelling; // %name
  std::string refusal;  // empty: there is none
};
NewName new_name_at(const Document &document, uint32_t offset, std::string_view typed);

} // namespace cnnc::lsp
