// Text to loops. The grammar is in loop.h.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

/// Reads one `kernel @name(...) -> (...) { ... }` at the cursor. Empty when anything was wrong.
std::optional<Kernel> parse_kernel(TokenCursor &cursor);

} // namespace cnnc::loop
