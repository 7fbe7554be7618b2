// Positions as editors count them: lines, and UTF-16 units in a line.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cnnc::lsp {

/// Both from 0. Characters beyond U+FFFF are two units.
struct TextPosition {
  int line = 0, character = 0;
  bool operator==(const TextPosition &) const = default;
};

/// Converts between positions and bytes of one text in UTF-8, which has to outlive this. Lines end
/// with "\n", "\r\n" or "\r", as the protocol says.
/// Both ways take logarithmic time.
class TextPositions {
public:
  explicit TextPositions(std::string_view text);

  /// Of a byte; of the end of the text for those behind it.
  TextPosition position(uint32_t offset) const;

  /// The byte at a position. What is behind the end of a line or of the text becomes that end, what
  /// is negative the first, and a position within a character its begin.
  uint32_t offset(TextPosition position) const;

private:
  uint32_t line_end(size_t line) const; // without what ends it
  uint32_t units_before(uint32_t offset) const;

  std::string_view text_;
  std::vector<uint32_t> lines_; // where each begins
  std::vector<uint32_t> units_; // before every block of bytes, for texts in one line; then all
};

} // namespace cnnc::lsp
