// Whole files in and out. A path of "-" means standard input or standard output.
#pragma once

#include "ir/text/diagnostics.h"

#include <filesystem>
#include <functional>
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

/// Takes the next bytes of a file that is being written. False when they cannot be: stop then.
using FileSink = std::function<bool(std::string_view)>;
/// Makes the bytes of a file. False when it cannot: it has reported why, unless the sink failed.
using FileProducer = std::function<bool(const FileSink &)>;

/// The same for bytes that are made on the way, so that they are never all in memory.
bool write_file_atomically(const std::filesystem::path &path, const FileProducer &produce,
                           Diagnostics &diagnostics);

} // namespace cnnc
