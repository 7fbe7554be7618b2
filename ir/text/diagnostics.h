// Source texts, positions in them, and diagnostics with a caret. Shared by both levels of the IR.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cnnc {

/// A text with the name under which errors mention it ("model.ir", "<stdin>"), or a part of a file
/// that is no text: then errors name the part instead of a line.
struct Source {
  std::string name;
  std::string text;
  std::string part = {}; // "node 'conv1' (Conv)"; may be empty for the file as a whole
  bool is_text = true;
};

/// Bytes [begin, end) of a source. A default-constructed range means "no position".
struct SourceRange {
  std::shared_ptr<const Source> source;
  uint32_t begin = 0;
  uint32_t end = 0;

  bool known() const { return source != nullptr; }
};

enum class Severity { error, warning, note };

struct Diagnostic {
  Severity severity = Severity::error;
  SourceRange range;
  std::string message;
};

/// Collects diagnostics, so that one run shows all of them.
class Diagnostics {
public:
  void error(const SourceRange &range, std::string message);
  void error(std::string message) { error({}, std::move(message)); }
  void warning(const SourceRange &range, std::string message);
  /// Belongs to the diagnostic reported before it.
  void note(const SourceRange &range, std::string message);

  /// All of another's, behind one's own.
  void append(const Diagnostics &other);

  bool has_errors() const { return error_count_ > 0; }
  size_t error_count() const { return error_count_; }
  const std::vector<Diagnostic> &all() const { return diagnostics_; }

  /// Orders the diagnostics of each source by position, for texts that are checked in several
  /// passes. A note stays behind its diagnostic.
  void sort_by_position();

  /// As text: `file:line:column: error: message`, the line, and carets under the range; for what is
  /// not in a text `file: error: part: message`. Ends after so many errors with the number of the
  /// others.
  static constexpr size_t most_errors_shown = 20;
  std::string to_string() const;

private:
  std::vector<Diagnostic> diagnostics_;
  size_t error_count_ = 0;
};

/// 1-based line and column (in characters, not bytes) of a byte offset.
struct LineColumn {
  uint32_t line = 1;
  uint32_t column = 1;
};
LineColumn line_column(const Source &source, uint32_t offset);

/// The known word closest to `word` by edit distance, or empty when none is close: "did you mean".
std::string_view closest(std::string_view word, const std::vector<std::string_view> &known);

} // namespace cnnc
