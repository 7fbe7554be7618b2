// What may stand where somebody types.
#pragma once

#include "compiler/lsp/document.h"

namespace cnnc::lsp {

enum class ProposalKind { op, value, attribute, word };

struct Proposal {
  ProposalKind kind = ProposalKind::word;
  std::string text;          // to be written
  std::string detail;        // in a line: operands of an op, type of a value
  std::string documentation; // Markdown
};

struct Proposals {
  SourceRange replaced;      // what is typed of it already; may be empty
  std::vector<Proposal> all; // the likeliest first
  bool complete = true;      // false: there are more values, for which more has to be typed
};

/// So many values are proposed at once.
inline constexpr size_t most_values = 200;

/// Ops behind `=`; values that are defined above, and attributes that are not given yet, behind an
/// op; the words that an attribute can be. `random(7, |` knows them by their place.
/// Nothing in comments, types and lists of numbers.
Proposals proposals_at(const Document &document, uint32_t offset);

/// The words that an attribute can be: `true` and `false`, `constant`, `reflect` ..; empty for
/// numbers, lists and strings.
std::vector<std::string> words_of(const AttributeInfo &attribute);

} // namespace cnnc::lsp
