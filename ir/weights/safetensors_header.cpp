#include "ir/weights/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace cnnc {
namespace {

using nlohmann::json;

/// Takes the events of the JSON parser. A tree of the header would hide duplicate names, and
/// hostile nesting would make it large; events need no more memory than the result.
class HeaderReader {
public:
  HeaderReader(const std::string &file, Diagnostics &diagnostics)
      : file_(file), diagnostics_(diagnostics) {}

  std::vector<SafetensorsEntry> take_entries() { return std::move(entries_); }

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_float(double, const std::string &text) {
    return unexpected(fmt::format("{}, which is no integer of 64 bits", text));
  }
  bool number_integer(int64_t value) {
    return unexpected(fmt::format("the negative number {}", value));
  }
  bool number_unsigned(uint64_t value);
  bool string(std::string &value);
  bool binary(json::binary_t &) { return unexpected("binary data"); }
  bool start_object(size_t);
  bool key(std::string &name);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  bool parse_error(size_t position, const std::string &, const json::exception &error);

private:
  enum class Level { outside, names, metadata, tensor, shape, offsets };

  bool fail(std::string_view message);
  bool fail_tensor(std::string_view message);
  bool unexpected(std::string_view what);
  bool open_field(const std::string &name);

  const std::string &file_;
  Diagnostics &diagnostics_;
  Level level_ = Level::outside;
  std::vector<SafetensorsEntry> entries_;
  std::set<std::string> names_;
  std::string field_;            // of the tensor being read
  std::set<std::string> fields_; // seen of it
  std::vector<uint64_t> offsets_;
  bool metadata_next_ = false;
};

bool HeaderReader::fail(std::string_view message) {
  diagnostics_.error(fmt::format("{}: {}", file_, message));
  return false;
}

bool HeaderReader::fail_tensor(std::string_view message) {
  return fail(fmt::format("tensor {}: {}", quote_tensor_name(entries_.back().name), message));
}

bool HeaderReader::unexpected(std::string_view what) {
  switch (level_) {
  case Level::outside:
    return fail(fmt::format("the header must be a JSON object, not {}", what));
  case Level::metadata:
    return fail(fmt::format("\"__metadata__\" must hold strings only, not {}", what));
  case Level::names:
    if (metadata_next_)
      return fail(fmt::format("\"__metadata__\" must be an object, not {}", what));
    return fail_tensor(fmt::format("must be an object, not {}", what));
  case Level::tensor:
    return fail_tensor(fmt::format("\"{}\" must be {}, not {}", field_,
                                   field_ == "dtype" ? "a string" : "an array", what));
  case Level::shape:
  case Level::offsets:
    break;
  }
  return fail_tensor(fmt::format("\"{}\" must hold non-negative integers, not {}", field_, what));
}

bool HeaderReader::number_unsigned(uint64_t value) {
  if (level_ == Level::shape) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return fail_tensor(fmt::format("dimension {} in \"shape\" is too large", value));
    entries_.back().shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (level_ != Level::offsets)
    return unexpected(fmt::format("the number {}", value));
  offsets_.push_back(value);
  return offsets_.size() <= 2 || fail_tensor("\"data_offsets\" must hold 2 numbers, not more");
}

bool HeaderReader::string(std::string &value) {
  if (level_ == Level::metadata)
    return true;
  if (level_ != Level::tensor || field_ != "dtype")
    return unexpected("a string");
  entries_.back().dtype = std::move(value);
  return true;
}

bool HeaderReader::start_object(size_t) {
  if (level_ == Level::outside) {
    level_ = Level::names;
    return true;
  }
  if (level_ != Level::names)
    return unexpected("an object");
  level_ = metadata_next_ ? Level::metadata : Level::tensor;
  fields_.clear();
  return true;
}

bool HeaderReader::key(std::string &name) {
  if (level_ == Level::metadata)
    return true;
  if (level_ == Level::tensor)
    return open_field(name);
  if (!names_.insert(name).second)
    return fail(fmt::format("two tensors have the name {}", quote_tensor_name(name)));
  metadata_next_ = name == "__metadata__";
  if (!metadata_next_)
    entries_.push_back({.name = std::move(name)});
  return true;
}

bool HeaderReader::open_field(const std::string &name) {
  if (name != "dtype" && name != "shape" && name != "data_offsets")
    return fail_tensor(fmt::format("unknown field {}", quote_tensor_name(name)));
  field_ = name;
  return fields_.insert(name).second || fail_tensor(fmt::format("\"{}\" is given twice", name));
}

bool HeaderReader::end_object() {
  if (level_ == Level::tensor)
    for (const char *field : {"dtype", "shape", "data_offsets"})
      if (!fields_.contains(field))
        return fail_tensor(fmt::format("\"{}\" is missing", field));
  level_ = level_ == Level::names ? Level::outside : Level::names;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (level_ != Level::tensor || field_ == "dtype")
    return unexpected("an array");
  level_ = field_ == "shape" ? Level::shape : Level::offsets;
  offsets_.clear();
  return true;
}

bool HeaderReader::end_array() {
  if (level_ == Level::offsets) {
    if (offsets_.size() != 2)
      return fail_tensor(
          fmt::format("\"data_offsets\" must hold 2 numbers, not {}", offsets_.size()));
    entries_.back().begin = offsets_[0];
    entries_.back().end = offsets_[1];
  }
  level_ = Level::tensor;
  return true;
}

bool HeaderReader::parse_error(size_t position, const std::string &, const json::exception &error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: what is wrong"
  std::string_view what = error.what();
  if (size_t colon = what.find(": "); colon != std::string_view::npos)
    what.remove_prefix(colon + 2);
  return fail(fmt::format("the header is not valid JSON, at its byte {}: {}", position,
                          what.substr(0, 200)));
}

} // namespace

std::optional<std::vector<SafetensorsEntry>>
parse_safetensors_header(std::string_view text, const std::string &file, Diagnostics &diagnostics) {
  if (!text.starts_with('{')) {
    diagnostics.error(
        fmt::format("{}: the header must be a JSON object and begin with '{{'", file));
    return std::nullopt;
  }
  if (size_t position = text.find('\0'); position != std::string_view::npos) {
    // The JSON parser would take it for the end of the text.
    diagnostics.error(
        fmt::format("{}: the header holds a zero byte, at its byte {}", file, position));
    return std::nullopt;
  }
  HeaderReader reader(file, diagnostics);
  if (!json::sax_parse(text.begin(), text.end(), &reader))
    return std::nullopt;
  return reader.take_entries();
}

std::optional<std::string> format_safetensors_header(const std::vector<SafetensorsEntry> &entries) {
  std::string header = "{";
  for (const SafetensorsEntry &entry : entries) {
    std::string name;
    try {
      name = json(entry.name).dump();
    } catch (const json::type_error &) {
      return std::nullopt;
    }
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          header.size() > 1 ? "," : "", name, entry.dtype,
                          fmt::join(entry.shape, ","), entry.begin, entry.end);
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

std::string quote_tensor_name(std::string_view name) {
  constexpr size_t longest = 200;
  bool cut = name.size() > longest;
  json text = std::string(name.substr(0, longest)) + (cut ? "..." : "");
  return text.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace cnnc
