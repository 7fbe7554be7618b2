// The constants of a model as an ELF object file, written straight to disk: they never go through
// LLVM IR and are never copied.
#pragma once

#include "ir/text/diagnostics.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>

namespace cnnc::codegen {

/// The hidden symbol at the first byte of the weights.
inline constexpr std::string_view weights_symbol = "cnnc_weights";
inline constexpr uint64_t weights_alignment = 64;
/// Code addresses its constants relative to the instruction pointer, which reaches 2 GiB; a little
/// is left for the code itself.
inline constexpr uint64_t largest_weights = uint64_t{1900} << 20;

/// Writes an x86-64 relocatable object with one read-only section that holds `size` bytes:
///   auto writer = WeightsObjectWriter::open(path, size, diagnostics);
///   writer->append(bytes); writer->pad_to(offset); writer->append(...); writer->finish();
/// Every function reports errors of the file system once and then returns false.
class WeightsObjectWriter {
public:
  static std::unique_ptr<WeightsObjectWriter> open(const std::filesystem::path &path, uint64_t size,
                                                   Diagnostics &diagnostics);

  /// Writes the next bytes of the section.
  bool append(std::span<const std::byte> bytes);
  /// Writes zeros up to byte `offset` of the section, which must not lie before what was written.
  bool pad_to(uint64_t offset);
  /// Fills the rest of the section with zeros and writes the symbol table.
  bool finish();

private:
  struct CloseFile {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };

  WeightsObjectWriter(std::filesystem::path path, uint64_t size, Diagnostics &diagnostics)
      : path_(std::move(path)), size_(size), diagnostics_(diagnostics) {}
  bool write(const void *data, size_t size);

  std::filesystem::path path_;
  uint64_t size_;
  Diagnostics &diagnostics_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  uint64_t written_ = 0; ///< bytes of the section
  bool failed_ = false;
};

} // namespace cnnc::codegen
