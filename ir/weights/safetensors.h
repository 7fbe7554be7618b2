// The safetensors format: named tensors in one file, mapped into memory rather than read.
//
//   bytes 0..8     length of the header, little endian
//   header         JSON: {"name": {"dtype": "F32", "shape": [6, 1, 5, 5],
//                                  "data_offsets": [begin, end]}, ...}
//   rest           the data; offsets count from here
//
// Method: https://github.com/huggingface/safetensors#format
#pragma once

#include "ir/text/mapped_file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

/// A tensor whose data belongs to someone else: the mapped file, or the caller of the writer.
struct SafetensorsTensor {
  std::string name;
  std::string dtype; // as in the file: "F32", "F16", "BF16", "F64", "I64", "U8", "BOOL" ...
  std::vector<int64_t> shape;
  std::span<const std::byte> data; // row-major, little endian, not necessarily aligned
};

/// Size of an element in bytes; nothing for an unknown dtype.
std::optional<uint64_t> safetensors_dtype_size(std::string_view dtype);

/// Checks a whole file that lies in memory and returns its tensors, sorted by name, with data that
/// points into `bytes`. `name` is what errors begin with. Every malformed file gives an error that
/// names the tensor and the numbers.
std::optional<std::vector<SafetensorsTensor>> parse_safetensors(std::span<const std::byte> bytes,
                                                                const std::string &name,
                                                                Diagnostics &diagnostics);

/// Among tensors sorted by name; null when there is no such tensor.
const SafetensorsTensor *find_tensor(std::span<const SafetensorsTensor> tensors,
                                     std::string_view name);

/// A mapped file. Its tensors live as long as it does. See MappedFile.
class SafetensorsFile {
public:
  static std::optional<SafetensorsFile> open(const std::filesystem::path &path,
                                             Diagnostics &diagnostics);
  /// Null when there is no such tensor.
  const SafetensorsTensor *find(std::string_view name) const { return find_tensor(tensors_, name); }
  /// Sorted by name.
  const std::vector<SafetensorsTensor> &tensors() const { return tensors_; }

private:
  SafetensorsFile(MappedFile mapping, std::vector<SafetensorsTensor> tensors)
      : mapping_(std::move(mapping)), tensors_(std::move(tensors)) {}

  MappedFile mapping_;
  std::vector<SafetensorsTensor> tensors_;
};

/// Writes a file atomically. The same tensors give the same bytes in whatever order they come: the
/// data is sorted by element size (largest first, which aligns every tensor), then by name. Refuses
/// duplicate names and data that does not fit the shape.
bool write_safetensors(const std::filesystem::path &path,
                       std::span<const SafetensorsTensor> tensors, Diagnostics &diagnostics);

/// Converts F32, F16, BF16 (exactly) and F64 (to nearest even, too large becomes infinite). False,
/// with `out` untouched, for any other dtype or when `out` has not the tensor's number of elements.
bool convert_to_f32(const SafetensorsTensor &tensor, std::span<float> out);

} // namespace cnnc
