// What a file is that is neither text nor ONNX.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cnnc {

/// Recognises a file that is no text by its first bytes (512 are enough), and says what it is and
/// what to do instead. Empty for what may be a text.
std::optional<std::string> describe_foreign(std::string_view head);

} // namespace cnnc
