#include "ir/weights/safetensors.h"

#include "ir/text/files.h"
#include "ir/weights/byte_count.h"
#include "ir/weights/safetensors_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <tuple>

namespace cnnc {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors are used as they lie in the file");

/// A file with thousands of broken tensors is one broken file.
constexpr int most_errors = 10;

std::string name_of(const SafetensorsEntry &entry) { return quote_tensor_name(entry.name); }

/// What is wrong with a tensor by itself, or empty.
std::string check_entry(const SafetensorsEntry &entry, uint64_t data_size) {
  std::optional<uint64_t> element_size = safetensors_dtype_size(entry.dtype);
  if (!element_size)
    return fmt::format("unknown dtype {}", quote_tensor_name(entry.dtype));
  if (entry.begin > entry.end)
    return fmt::format("begins at byte {} of the data, after its end at byte {}", entry.begin,
                       entry.end);
  if (entry.end > data_size)
    return fmt::format("ends at byte {} of the data, but the file has only {}", entry.end,
                       data_size);
  std::optional<uint64_t> expected = byte_count(entry.shape, *element_size);
  auto shape = std::span(entry.shape).first(std::min<size_t>(entry.shape.size(), 16));
  std::string type = fmt::format("{}[{}{}]", entry.dtype, fmt::join(shape, ", "),
                                 shape.size() < entry.shape.size() ? ", ..." : "");
  if (!expected)
    return fmt::format("the size of {} overflows", type);
  if (*expected != entry.end - entry.begin)
    return fmt::format("{} needs {} bytes, but the file gives it {} ({} to {})", type, *expected,
                       entry.end - entry.begin, entry.begin, entry.end);
  return {};
}

/// The tensors must cover the data exactly: the format allows neither overlaps nor holes.
std::string check_coverage(std::vector<const SafetensorsEntry *> order, uint64_t data_size) {
  std::ranges::sort(order, {}, [](const SafetensorsEntry *entry) {
    return std::tie(entry->begin, entry->end, entry->name);
  });
  uint64_t covered = 0;
  const SafetensorsEntry *previous = nullptr;
  for (const SafetensorsEntry *entry : order) {
    if (entry->begin < covered)
      return fmt::format("tensors {} (bytes {} to {}) and {} (bytes {} to {}) overlap",
                         name_of(*previous), previous->begin, previous->end, name_of(*entry),
                         entry->begin, entry->end);
    if (entry->begin > covered)
      return fmt::format("bytes {} to {} of the data, before tensor {}, belong to no tensor",
                         covered, entry->begin, name_of(*entry));
    covered = entry->end;
    previous = entry;
  }
  if (covered < data_size)
    return fmt::format("the last {} bytes of the data, from byte {}, belong to no tensor",
                       data_size - covered, covered);
  return {};
}

bool check_entries(const std::vector<SafetensorsEntry> &entries, uint64_t data_size,
                   const std::string &file, Diagnostics &diagnostics) {
  int errors = 0;
  std::vector<const SafetensorsEntry *> order;
  for (const SafetensorsEntry &entry : entries) {
    order.push_back(&entry);
    std::string problem = check_entry(entry, data_size);
    if (problem.empty())
      continue;
    diagnostics.error(fmt::format("{}: tensor {}: {}", file, name_of(entry), problem));
    if (++errors == most_errors)
      break;
  }
  if (errors > 0)
    return false;
  std::string problem = check_coverage(std::move(order), data_size);
  if (!problem.empty())
    diagnostics.error(fmt::format("{}: {}", file, problem));
  return problem.empty();
}

/// The header as text, or nothing when its length makes no sense.
std::optional<std::string_view> find_header(std::span<const std::byte> bytes,
                                            const std::string &file, Diagnostics &diagnostics) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) {
    diagnostics.error(bytes.empty()
                          ? fmt::format("{}: the file is empty", file)
                          : fmt::format("{}: {} bytes are too few for a safetensors file, which "
                                        "begins with the length of its header in 8 bytes",
                                        file, bytes.size()));
    return std::nullopt;
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > max_safetensors_header) {
    diagnostics.error(fmt::format("{}: not a safetensors file: a header of {} bytes is more than "
                                  "the {} allowed",
                                  file, length, max_safetensors_header));
    return std::nullopt;
  }
  if (length > bytes.size() - sizeof length) {
    diagnostics.error(fmt::format("{}: the header should have {} bytes, but only {} follow: the "
                                  "file is cut short or not a safetensors file",
                                  file, length, bytes.size() - sizeof length));
    return std::nullopt;
  }
  return std::string_view(reinterpret_cast<const char *>(bytes.data()) + sizeof length, length);
}

} // namespace

std::optional<uint64_t> safetensors_dtype_size(std::string_view dtype) {
  struct Row {
    std::string_view dtype;
    uint64_t size;
  };
  static constexpr std::array<Row, 17> rows = {{{"BOOL", 1},
                                                {"U8", 1},
                                                {"I8", 1},
                                                {"F8_E5M2", 1},
                                                {"F8_E4M3", 1},
                                                {"F8_E8M0", 1},
                                                {"I16", 2},
                                                {"U16", 2},
                                                {"F16", 2},
                                                {"BF16", 2},
                                                {"I32", 4},
                                                {"U32", 4},
                                                {"F32", 4},
                                                {"I64", 8},
                                                {"U64", 8},
                                                {"F64", 8},
                                                {"C64", 8}}};
  auto row = std::ranges::find(rows, dtype, &Row::dtype);
  return row == rows.end() ? std::nullopt : std::optional(row->size);
}

std::optional<std::vector<SafetensorsTensor>> parse_safetensors(std::span<const std::byte> bytes,
                                                                const std::string &name,
                                                                Diagnostics &diagnostics) {
  std::optional<std::string_view> header = find_header(bytes, name, diagnostics);
  if (!header)
    return std::nullopt;
  auto entries = parse_safetensors_header(*header, name, diagnostics);
  std::span<const std::byte> data = bytes.subspan(sizeof(uint64_t) + header->size());
  if (!entries || !check_entries(*entries, data.size(), name, diagnostics))
    return std::nullopt;
  std::ranges::sort(*entries, {}, &SafetensorsEntry::name);
  std::vector<SafetensorsTensor> tensors;
  tensors.reserve(entries->size());
  for (SafetensorsEntry &entry : *entries)
    tensors.push_back({.name = std::move(entry.name),
                       .dtype = std::move(entry.dtype),
                       .shape = std::move(entry.shape),
                       .data = data.subspan(entry.begin, entry.end - entry.begin)});
  return tensors;
}

const SafetensorsTensor *find_tensor(std::span<const SafetensorsTensor> tensors,
                                     std::string_view name) {
  auto found = std::ranges::lower_bound(tensors, name, {}, &SafetensorsTensor::name);
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

std::optional<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path &path,
                                                     Diagnostics &diagnostics) {
  std::optional<MappedFile> mapping = MappedFile::open(path, diagnostics);
  if (!mapping)
    return std::nullopt;
  auto tensors = parse_safetensors(mapping->bytes(), path.string(), diagnostics);
  if (!tensors)
    return std::nullopt;
  return SafetensorsFile(std::move(*mapping), std::move(*tensors));
}

} // namespace cnnc
