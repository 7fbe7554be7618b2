// NumPy's .npy files: one array in a file. Inputs and outputs of a model travel in them.
// Method: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include "ir/text/diagnostics.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

struct NpyArray {
  std::string dtype;           // "f32", "f64", "i32", "i64", "u8" or "bool"
  std::vector<int64_t> shape;  // empty for a scalar
  std::vector<std::byte> data; // row-major, little endian
};

/// Versions 1 to 3 of the format, little endian; an array in Fortran order is brought into C order.
/// Anything else is an error that says what to do about it, as are missing bytes and bytes after the array. `name` is what errors begin
/// with.
std::optional<NpyArray> parse_npy(std::span<const std::byte> bytes, const std::string &name,
                                  Diagnostics &diagnostics);

/// From a file, or from standard input for "-".
std::optional<NpyArray> read_npy(const std::filesystem::path &path, Diagnostics &diagnostics);
/// Reads a stream to its end.
std::optional<NpyArray> read_npy(std::istream &stream, const std::string &name,
                                 Diagnostics &diagnostics);

/// Writes version 1, atomically, or to standard output for "-". Refuses an unknown dtype and data
/// that does not fit the shape.
bool write_npy(const std::filesystem::path &path, std::string_view dtype,
               std::span<const int64_t> shape, std::span<const std::byte> data,
               Diagnostics &diagnostics);
bool write_npy(const std::filesystem::path &path, const NpyArray &array, Diagnostics &diagnostics);

} // namespace cnnc
