// Mutations of our texts that mostly still parse: random bytes never get past the lexer.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace cnnc::fuzz {

/// Makes a few changes to a text, each of tokens or whole lines: numbers become other numbers of the
/// text or awkward ones, names others of the text, tokens and lines are swapped, doubled, dropped.
/// The result has at most `most` bytes.
std::string mutate_text(std::string_view text, size_t most, std::mt19937 &random);

} // namespace cnnc::fuzz
