// The JSON header of a safetensors file, as it is written: nothing is checked against the file's
// data.
#pragma once

#include "ir/text/diagnostics.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

/// Bytes 0..100,000,000 of header are accepted, the limit of the reference implementation.
inline constexpr uint64_t max_safetensors_header = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape; // never negative
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Entries in the order of the header. Errors begin with `file`; the first one ends the parse.
std::optional<std::vector<SafetensorsEntry>>
parse_safetensors_header(std::string_view text, const std::string &file, Diagnostics &diagnostics);

/// The header of these entries, padded with spaces so that the data after it starts at a multiple
/// of 8. Nothing when a name is not valid UTF-8, which JSON cannot hold.
std::optional<std::string> format_safetensors_header(const std::vector<SafetensorsEntry> &entries);

/// A name for a message: in quotes, control characters escaped, cut when very long.
std::string quote_tensor_name(std::string_view name);

} // namespace cnnc
