#include "ir/weights/npy.h"

#include "ir/text/files.h"
#include "ir/type/dtype.h"
#include "ir/weights/byte_count.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <istream>
#include <iterator>

namespace cnnc {
namespace {

static_assert(std::endian::native == std::endian::little,
              "arrays are used as they lie in the file");

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t most_dimensions = 64; // of NumPy 2
constexpr size_t most_shown = 40;      // characters of a foreign word in a message

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Parses the header, a literal of a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape':
/// (3, 4), }
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  /// On failure nothing, and problem() says why.
  std::optional<Header> parse();
  const std::string &problem() const { return problem_; }

private:
  bool parse_entry(Header &header);
  bool parse_string(std::string &value);
  bool parse_boolean(bool &value);
  bool parse_shape(std::vector<int64_t> &shape);
  bool parse_dimension(int64_t &value);
  bool take(char character);
  void skip_space();
  bool fail(std::string problem);

  std::string_view text_;
  size_t position_ = 0;
  std::string problem_;
  std::vector<std::string> keys_;
};

bool HeaderParser::fail(std::string problem) {
  if (problem_.empty())
    problem_ = fmt::format("{}, at byte {} of the header", problem, position_);
  return false;
}

void HeaderParser::skip_space() {
  position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size());
}

bool HeaderParser::take(char character) {
  skip_space();
  if (position_ == text_.size() || text_[position_] != character)
    return false;
  ++position_;
  return true;
}

bool HeaderParser::parse_string(std::string &value) {
  skip_space();
  char quote = position_ < text_.size() ? text_[position_] : '\0';
  if (quote != '\'' && quote != '"')
    return fail("expected a string");
  size_t end = text_.find(quote, position_ + 1);
  if (end == std::string_view::npos)
    return fail("a string has no end");
  value = text_.substr(position_ + 1, end - position_ - 1);
  position_ = end + 1;
  return true;
}

bool HeaderParser::parse_boolean(bool &value) {
  skip_space();
  for (std::string_view word : {"True", "False"}) {
    if (text_.substr(position_).starts_with(word)) {
      value = word == "True";
      position_ += word.size();
      return true;
    }
  }
  return fail("expected True or False");
}

bool HeaderParser::parse_dimension(int64_t &value) {
  skip_space();
  const char *end = text_.data() + text_.size();
  auto [rest, error] = std::from_chars(text_.data() + position_, end, value);
  if (error == std::errc::result_out_of_range)
    return fail("a dimension is too large");
  if (error != std::errc() || value < 0)
    return fail("expected a dimension, a non-negative integer");
  position_ = static_cast<size_t>(rest - text_.data());
  take('L'); // Python 2 wrote its long integers this way
  return true;
}

bool HeaderParser::parse_shape(std::vector<int64_t> &shape) {
  if (!take('('))
    return fail("expected a tuple, the shape");
  shape.clear();
  while (!take(')')) {
    int64_t dimension = 0;
    if (!parse_dimension(dimension))
      return false;
    if (shape.size() == most_dimensions)
      return fail(fmt::format("an array has at most {} dimensions", most_dimensions));
    shape.push_back(dimension);
    bool comma = take(',');
    if (!comma && (shape.size() == 1 || !take(')')))
      return fail("expected a comma in the shape");
    if (!comma)
      return true;
  }
  return true;
}

bool HeaderParser::parse_entry(Header &header) {
  std::string key;
  if (!parse_string(key))
    return false;
  if (std::ranges::find(keys_, key) != keys_.end())
    return fail(fmt::format("'{}' is given twice", key));
  if (!take(':'))
    return fail("expected a colon");
  keys_.push_back(key);
  if (key == "descr") {
    skip_space();
    if (position_ < text_.size() && text_[position_] == '[')
      return fail("arrays of structures are not supported");
    return parse_string(header.descr);
  }
  if (key == "fortran_order")
    return parse_boolean(header.fortran_order);
  if (key == "shape")
    return parse_shape(header.shape);
  return fail(fmt::format("unknown key '{}'", key.substr(0, most_shown)));
}

std::optional<Header> HeaderParser::parse() {
  Header header;
  bool good = take('{') || fail("expected a Python dict");
  while (good && !take('}')) {
    good = parse_entry(header);
    if (good && !take(',')) {
      good = take('}') || fail("expected a comma or the end of the dict");
      break;
    }
  }
  skip_space();
  if (good && position_ != text_.size())
    good = fail("something follows the dict");
  for (std::string_view key : {"descr", "fortran_order", "shape"})
    if (good && std::ranges::find(keys_, key) == keys_.end())
      good = fail(fmt::format("'{}' is missing", key));
  return good ? std::optional(std::move(header)) : std::nullopt;
}

/// The text of the header; sets `data` to the bytes after it. On failure nothing, and `problem`
/// says why.
std::optional<std::string_view> find_header(std::string_view bytes, std::string_view &data,
                                            std::string &problem) {
  constexpr size_t version_at = 6, length_at = 8;
  if (bytes.empty()) {
    problem = "the file is empty";
    return std::nullopt;
  }
  if (!bytes.starts_with(magic)) {
    problem = "not a .npy file: it does not begin with \\x93NUMPY";
    return std::nullopt;
  }
  int version = bytes.size() > version_at ? static_cast<uint8_t>(bytes[version_at]) : 1;
  if (version < 1 || version > 3) {
    problem = fmt::format("version {} of the format is not known (1, 2 and 3 are)", version);
    return std::nullopt;
  }
  size_t length_size = version == 1 ? 2 : 4;
  uint32_t length = 0;
  if (bytes.size() < length_at + length_size) {
    problem = fmt::format("the file ends inside its header, after {} bytes", bytes.size());
    return std::nullopt;
  }
  std::memcpy(&length, bytes.data() + length_at, length_size);
  std::string_view rest = bytes.substr(length_at + length_size);
  if (length > rest.size()) {
    problem =
        fmt::format("the header should have {} bytes, but only {} follow", length, rest.size());
    return std::nullopt;
  }
  data = rest.substr(length);
  return rest.substr(0, length);
}

/// "<f4, <f8 and |b1"
std::string supported_dtypes() {
  std::vector<std::string_view> names;
  for (const DTypeInfo &dtype : dtype_table)
    if (!dtype.numpy.empty())
      names.push_back(dtype.numpy);
  std::string result;
  for (std::string_view name : names)
    result += (result.empty() ? "" : name == names.back() ? " and " : ", ") + std::string(name);
  return result;
}

/// The dtype of a `descr`, or null with `problem` set.
const DTypeInfo *find_dtype(std::string_view descr, std::string &problem) {
  for (const DTypeInfo &dtype : dtype_table) {
    if (dtype.numpy.empty())
      continue;
    bool no_byte_order = dtype.size == 1 && !descr.empty() &&
                         std::string_view("|<>=").find(descr[0]) != std::string_view::npos;
    if (descr == dtype.numpy || (no_byte_order && descr.substr(1) == dtype.numpy.substr(1)))
      return &dtype;
  }
  descr = descr.substr(0, most_shown);
  if (descr.starts_with('>'))
    problem = fmt::format("the array is big endian ('{}'): convert it with "
                          "array.astype(array.dtype.newbyteorder('<')) in NumPy",
                          descr);
  else
    problem = fmt::format("the dtype '{}' is not supported ({} are)", descr, supported_dtypes());
  return nullptr;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i)
    text += fmt::format("{}{},", i == 0 ? "" : " ", shape[i]);
  if (shape.size() > 1)
    text.pop_back();
  return text + ")";
}

/// Elements of an array in Fortran order, whose first subscript changes fastest, in C order.
std::vector<std::byte> row_major(std::span<const std::byte> elements,
                                 std::span<const int64_t> shape, size_t size) {
  std::vector<std::byte> result(elements.size());
  std::vector<int64_t> subscripts(shape.size(), 0);
  for (size_t from = 0; from < elements.size(); from += size) {
    size_t to = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      to = to * static_cast<size_t>(shape[axis]) + static_cast<size_t>(subscripts[axis]);
    std::copy_n(elements.begin() + static_cast<ptrdiff_t>(from), size,
                result.begin() + static_cast<ptrdiff_t>(to * size));
    for (size_t axis = 0; axis < shape.size() && ++subscripts[axis] == shape[axis]; ++axis)
      subscripts[axis] = 0;
  }
  return result;
}

std::optional<NpyArray> parse(std::string_view bytes, std::string &problem) {
  std::string_view data;
  std::optional<std::string_view> text = find_header(bytes, data, problem);
  if (!text)
    return std::nullopt;
  HeaderParser parser(*text);
  std::optional<Header> header = parser.parse();
  if (!header) {
    problem = "the header is malformed: " + parser.problem();
    return std::nullopt;
  }
  const DTypeInfo *dtype = find_dtype(header->descr, problem);
  if (!dtype)
    return std::nullopt;
  std::optional<uint64_t> expected = byte_count(header->shape, static_cast<uint64_t>(dtype->size));
  if (!expected || *expected != data.size()) {
    problem =
        fmt::format("an array of shape {} and dtype {} ", shape_text(header->shape), dtype->name);
    problem += expected ? fmt::format("needs {} bytes, but the file has {} after its header",
                                      *expected, data.size())
                        : "is too large: its size overflows";
    return std::nullopt;
  }
  NpyArray array{.dtype = std::string(dtype->name), .shape = std::move(header->shape), .data = {}};
  std::span elements(reinterpret_cast<const std::byte *>(data.data()), data.size());
  array.data = header->fortran_order
                   ? row_major(elements, array.shape, static_cast<size_t>(dtype->size))
                   : std::vector(elements.begin(), elements.end());
  return array;
}

} // namespace

std::optional<NpyArray> parse_npy(std::span<const std::byte> bytes, const std::string &name,
                                  Diagnostics &diagnostics) {
  std::string problem;
  auto array = parse({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, problem);
  if (!array)
    diagnostics.error(fmt::format("{}: {}", name, problem));
  return array;
}

std::optional<NpyArray> read_npy(const std::filesystem::path &path, Diagnostics &diagnostics) {
  std::optional<std::string> bytes = read_file(path, diagnostics);
  if (!bytes)
    return std::nullopt;
  return parse_npy(std::as_bytes(std::span(*bytes)), path == "-" ? "<stdin>" : path.string(),
                   diagnostics);
}

std::optional<NpyArray> read_npy(std::istream &stream, const std::string &name,
                                 Diagnostics &diagnostics) {
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) {
    diagnostics.error(fmt::format("{}: cannot read", name));
    return std::nullopt;
  }
  return parse_npy(std::as_bytes(std::span(bytes)), name, diagnostics);
}

bool write_npy(const std::filesystem::path &path, std::string_view dtype,
               std::span<const int64_t> shape, std::span<const std::byte> data,
               Diagnostics &diagnostics) {
  constexpr size_t alignment = 64, prefix_size = 10;
  auto fail = [&](const std::string &problem) {
    diagnostics.error(fmt::format("{}: {}", path == "-" ? "<stdout>" : path.string(), problem));
    return false;
  };
  auto row = std::ranges::find(dtype_table, dtype, &DTypeInfo::name);
  if (row == dtype_table.end() || row->numpy.empty())
    return fail(fmt::format("the dtype '{}' cannot be written as .npy", dtype));
  if (shape.size() > most_dimensions) // the header stays below the 64 KiB of version 1
    return fail(
        fmt::format("an array has at most {} dimensions, not {}", most_dimensions, shape.size()));
  std::optional<uint64_t> expected = byte_count(shape, static_cast<uint64_t>(row->size));
  if (!expected || *expected != data.size())
    return fail(fmt::format("the data of an array of shape {} and dtype {} cannot have {} bytes",
                            shape_text(shape), dtype, data.size()));
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                   row->numpy, shape_text(shape));
  size_t used = (prefix_size + header.size() + 1) % alignment;
  header.append((alignment - used) % alignment, ' ');
  header += '\n';
  std::string prefix(magic);
  prefix.append("\1\0", 2); // the version
  prefix += static_cast<char>(header.size() & 0xff);
  prefix += static_cast<char>(header.size() >> 8);
  std::string_view bytes(reinterpret_cast<const char *>(data.data()), data.size());
  std::array<std::string_view, 3> pieces = {prefix, header, bytes};
  return write_file_atomically(path, pieces, diagnostics);
}

bool write_npy(const std::filesystem::path &path, const NpyArray &array, Diagnostics &diagnostics) {
  return write_npy(path, array.dtype, array.shape, array.data, diagnostics);
}

} // namespace cnnc
