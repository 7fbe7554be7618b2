// Whole files in and out. A path of "-" means standard input or standard output.
#pragma once

#include "ir/text/diagnostics.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cnnc {

/// All bytes of a file, or of standard input for "-". On failure an error that begins with the
/// path.
std::optional<std::string> read_file(const std::filesystem::path &path, Diagnostics &diagnostics);

/// Writes to a temporary file in the same folder and renames it, so that nobody ever sees half a
/// file and a failure leaves neither a new file nor a damaged old one. A link is followed; a device
/// or pipe, and "-", are written directly. Returns false after an error that begins with the path.
bool write_file_atomically(const std::filesystem::path &path, std::string_view bytes,
                           Diagnostics &diagnostics);

/// The same for bytes that lie in several places, written one after the other without a copy.
bool write_file_atomically(const std::filesystem::path &path,
                           std::span<const std::string_view> pieces, Diagnostics &diagnostics);

} // namespace cnnc
