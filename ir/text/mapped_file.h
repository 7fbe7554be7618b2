// A file that is mapped into memory rather than read.
#pragma once

#include "ir/text/diagnostics.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>

namespace cnnc {

/// The bytes live as long as this does. The file must not be shortened meanwhile (replacing it is
/// fine).
class MappedFile {
public:
  /// Only regular files that are not empty; errors begin with the path.
  static std::optional<MappedFile> open(const std::filesystem::path &path,
                                        Diagnostics &diagnostics);
  ~MappedFile();
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }

private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

} // namespace cnnc
