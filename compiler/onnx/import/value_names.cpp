#include "compiler/onnx/import/value_names.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

/// Length of the UTF-8 character that begins here; 0 when it is malformed or a control character.
size_t character_length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80)
    return first >= 0x20 && first != 0x7f ? 1 : 0;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  // Spellings that are too long, halves of surrogate pairs, and what is beyond the last character.
  bool malformed = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
                   (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
  return malformed ? 0 : length;
}

} // namespace

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    size_t length = character_length(text);
    if (length == 0)
      result += '_';
    else
      result += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

void Names::reserve(const std::string &onnx_name) { of(onnx_name); }

const std::string &Names::of(const std::string &onnx_name) {
  auto [entry, added] = names_.try_emplace(onnx_name);
  if (added)
    entry->second = fresh(printable(onnx_name));
  return entry->second;
}

std::string Names::fresh(const std::string &base) {
  const std::string first = base.empty() ? "value" : base; // the text has no empty names
  std::string name = first;
  if (taken_.contains(name)) {
    int &last = last_[first];
    do
      name = fmt::format("{}.{}", first, ++last);
    while (taken_.contains(name));
  }
  taken_.insert(name);
  return name;
}

} // namespace cnnc
