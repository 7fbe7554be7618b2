// Names of values in the graph, which are those of the ONNX file wherever the text can hold them.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace cnnc {

class Names {
public:
  /// Keeps a name of the file for its value: no other gets it.
  void reserve(const std::string &onnx_name);
  /// How the value of this name in the file is called in the graph: the same, but for bytes that
  /// are no text (control characters, malformed UTF-8), which become underscores.
  const std::string &of(const std::string &onnx_name);
  /// A name that nobody has: `base` ("value" when that is empty), or base.1, base.2 ...
  std::string fresh(const std::string &base);

private:
  std::unordered_map<std::string, std::string> names_;
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> last_; // number given to a base
};

/// The text with `_` for bytes that are no printable UTF-8.
std::string printable(std::string_view text);

} // namespace cnnc
