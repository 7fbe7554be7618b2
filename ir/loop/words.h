// The words of the loops text: the one list for parser, verifier and lowering.
#pragma once

#include <string_view>

namespace cnnc::loop {

/// Whether a word means something in the loops text: a kind of loop, a declaration, a function, a
/// number. No buffer, table, register or loop variable has such a name.
bool is_reserved(std::string_view word);

} // namespace cnnc::loop
