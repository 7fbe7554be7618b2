// Text to graph. The grammar is in ir/README.md.
#pragma once

#include "ir/graph/graph.h"
#include "ir/text/lexer.h"

namespace cnnc {

/// Reads one `model @name(...) { ... }` at the cursor. Reports every error it can find: after a
/// wrong statement it goes on with the next. Empty when anything was wrong; `incomplete` then gets
/// the graph without the wrong statements, so that the others can be checked further.
std::optional<Graph> parse_graph(TokenCursor &cursor, Graph *incomplete = nullptr);

/// Whether the token so many behind the cursor begins a statement: `%y = ...` or `%a, %b = ...`.
bool begins_definition(const TokenCursor &cursor, size_t ahead = 0);

} // namespace cnnc
