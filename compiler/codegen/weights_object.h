// The constants of a model as an ELF object file, written straight to disk: they never go through
// LLVM IR and are never copied.
#pragma once

#include "compiler/codegen/target/target.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace cnnc::codegen {

/// The hidden symbol at the first byte of the weights.
inline constexpr std::string_view weights_symbol = "cnnc_weights";
inline constexpr uint64_t weights_alignment = 64;
/// Code addresses its constants relative to itself (the small code model), which reaches 2 GiB; a
/// little is left for the code.
inline constexpr uint64_t largest_weights = uint64_t{1900} << 20;

/// Writes a relocatable object for a target with one read-only section that holds `size` bytes:
///   auto writer = WeightsObjectWriter::open(path, target, size, diagnostics);
///   writer->write(offset, bytes, diagnostics); ... writer->finish(diagnostics);
/// Bytes of the section that nobody writes are zeros. Errors of the file system are reported where
/// they happen, and make a function return false.
class WeightsObjectWriter {
public:
  static std::unique_ptr<WeightsObjectWriter> open(const std::filesystem::path &path,
                                                   const Target &target, uint64_t size,
                                                   Diagnostics &diagnostics);
  ~WeightsObjectWriter();
  WeightsObjectWriter(const WeightsObjectWriter &) = delete;
  WeightsObjectWriter &operator=(const WeightsObjectWriter &) = delete;

  /// Writes the section's bytes from `offset` on. Any number of threads may write at a time.
  bool write(uint64_t offset, std::span<const std::byte> bytes, Diagnostics &diagnostics) const;
  /// Writes everything but the weights and closes the file.
  bool finish(Diagnostics &diagnostics);

private:
  WeightsObjectWriter(std::filesystem::path path, const Family &family, uint64_t size, int file)
      : path_(std::move(path)), family_(family), size_(size), file_(file) {}
  bool write_file(uint64_t position, const void *data, size_t size, Diagnostics &diagnostics) const;
  bool report(Diagnostics &diagnostics) const;

  std::filesystem::path path_;
  const Family &family_;
  uint64_t size_;
  int file_; ///< a file descriptor; -1 once it is closed
};

} // namespace cnnc::codegen
