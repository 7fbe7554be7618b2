#include "compiler/lsp/text_positions.h"

#include <algorithm>

namespace cnnc::lsp {

namespace {

constexpr uint32_t block = 64; // bytes

/// UTF-16 units of the character that begins with this byte; 0 for bytes that begin none.
uint32_t units_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte & 0xC0) == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1;
}

} // namespace

TextPositions::TextPositions(std::string_view text) : text_(text), lines_{0} {
  uint32_t units = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % block == 0)
      units_.push_back(units);
    units += units_of(text[i]);
    if (text[i] == '\n' || (text[i] == '\r' && text.substr(i + 1, 1) != "\n"))
      lines_.push_back(static_cast<uint32_t>(i + 1));
  }
  units_.push_back(units);
}

uint32_t TextPositions::units_before(uint32_t offset) const {
  const uint32_t begin = offset / block * block;
  uint32_t units =
      begin == offset && offset == text_.size() ? units_.back() : units_[offset / block];
  for (char c : text_.substr(begin, offset - begin))
    units += units_of(c);
  return units;
}

uint32_t TextPositions::line_end(size_t line) const {
  size_t end = line + 1 < lines_.size() ? lines_[line + 1] : text_.size();
  while (end > lines_[line] && (text_[end - 1] == '\n' || text_[end - 1] == '\r'))
    --end;
  return static_cast<uint32_t>(end);
}

TextPosition TextPositions::position(uint32_t offset) const {
  offset = std::min<uint32_t>(offset, static_cast<uint32_t>(text_.size()));
  const auto next = std::upper_bound(lines_.begin(), lines_.end(), offset);
  const auto line = static_cast<size_t>(next - lines_.begin()) - 1;
  return {static_cast<int>(line),
          static_cast<int>(units_before(offset) - units_before(lines_[line]))};
}

uint32_t TextPositions::offset(TextPosition position) const {
  if (position.line < 0)
    return 0;
  const auto line = static_cast<size_t>(position.line);
  if (line >= lines_.size())
    return static_cast<uint32_t>(text_.size());
  const uint32_t begin = lines_[line], end = line_end(line);
  const uint32_t wanted =
      units_before(begin) + static_cast<uint32_t>(std::max(0, position.character));
  if (wanted >= units_before(end))
    return end;
  // From the last block that begins in front of it, character by character.
  const auto next = std::upper_bound(units_.begin(), units_.end(), wanted);
  uint32_t at = std::max(begin, static_cast<uint32_t>(next - units_.begin() - 1) * block);
  for (uint32_t units = units_before(at); at < end; ++at) {
    units += units_of(text_[at]);
    if (units > wanted)
      break;
  }
  return at;
}

} // namespace cnnc::lsp
