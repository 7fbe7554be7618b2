#include "ir/text/diagnostics.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace cnnc {

void Diagnostics::error(const SourceRange &range, std::string message) {
  diagnostics_.push_back({Severity::error, range, std::move(message)});
  ++error_count_;
}

void Diagnostics::warning(const SourceRange &range, std::string message) {
  diagnostics_.push_back({Severity::warning, range, std::move(message)});
}

void Diagnostics::note(const SourceRange &range, std::string message) {
  diagnostics_.push_back({Severity::note, range, std::move(message)});
}

void Diagnostics::append(const Diagnostics &other) {
  diagnostics_.insert(diagnostics_.end(), other.diagnostics_.begin(), other.diagnostics_.end());
  error_count_ += other.error_count_;
}

namespace {

bool is_continuation_byte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t character_count(std::string_view text) {
  return text.size() - std::count_if(text.begin(), text.end(), is_continuation_byte);
}

std::string_view name_of(Severity severity) {
  switch (severity) {
  case Severity::error:
    return "error";
  case Severity::warning:
    return "warning";
  case Severity::note:
    return "note";
  }
  return "";
}

std::string_view line_at(const Source &source, uint32_t offset, uint32_t &line_begin) {
  std::string_view text = source.text;
  offset = std::min<uint32_t>(offset, text.size());
  size_t begin = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  line_begin = begin == std::string_view::npos ? 0 : begin + 1;
  size_t end = text.find('\n', line_begin);
  return text.substr(line_begin, end == std::string_view::npos ? end : end - line_begin);
}

/// The line and the carets below it. Tabs are copied into the caret line so that columns agree;
/// very long lines (one-line dumps) are cut around the caret.
std::string excerpt(const SourceRange &range) {
  uint32_t line_begin = 0;
  std::string_view line = line_at(*range.source, range.begin, line_begin);
  size_t begin = std::min<size_t>(range.begin - line_begin, line.size());
  size_t end = std::clamp<size_t>(range.end - line_begin, begin, line.size());
  constexpr size_t widest = 160;
  if (line.size() > widest) {
    size_t cut = begin > 60 ? begin - 60 : 0;
    line = line.substr(cut, widest);
    begin -= cut;
    end = std::min(end - cut, line.size());
  }
  std::string padding;
  for (char c : line.substr(0, begin))
    if (!is_continuation_byte(c))
      padding += c == '\t' ? '\t' : ' ';
  size_t width = std::max<size_t>(1, character_count(line.substr(begin, end - begin)));
  return fmt::format("{}\n{}^{}\n", line, padding, std::string(width - 1, '~'));
}

} // namespace

LineColumn line_column(const Source &source, uint32_t offset) {
  offset = std::min<uint32_t>(offset, source.text.size());
  uint32_t line_begin = 0;
  line_at(source, offset, line_begin);
  auto text = std::string_view(source.text);
  LineColumn result;
  result.line = 1 + std::count(text.begin(), text.begin() + line_begin, '\n');
  result.column = 1 + character_count(text.substr(line_begin, offset - line_begin));
  return result;
}

void Diagnostics::sort_by_position() {
  std::vector<std::vector<Diagnostic>> groups;
  for (Diagnostic &diagnostic : diagnostics_) {
    if (diagnostic.severity != Severity::note || groups.empty())
      groups.emplace_back();
    groups.back().push_back(std::move(diagnostic));
  }
  std::stable_sort(groups.begin(), groups.end(), [](const auto &a, const auto &b) {
    const SourceRange &x = a.front().range, &y = b.front().range;
    return x.source == y.source && x.begin < y.begin;
  });
  diagnostics_.clear();
  for (std::vector<Diagnostic> &group : groups)
    std::move(group.begin(), group.end(), std::back_inserter(diagnostics_));
}

std::string Diagnostics::to_string() const {
  std::string result;
  size_t errors = 0;
  for (const Diagnostic &diagnostic : diagnostics_) {
    errors += diagnostic.severity == Severity::error;
    if (errors > most_errors_shown)
      return result + fmt::format("cnnc: error: {} more error{} not shown\n",
                                  error_count_ - most_errors_shown,
                                  error_count_ == most_errors_shown + 1 ? "" : "s");
    std::string_view severity = name_of(diagnostic.severity);
    if (!diagnostic.range.known()) {
      result += fmt::format("cnnc: {}: {}\n", severity, diagnostic.message);
      continue;
    }
    if (const Source &source = *diagnostic.range.source; !source.is_text) {
      result += fmt::format("{}: {}: {}{}{}\n", source.name, severity, source.part,
                            source.part.empty() ? "" : ": ", diagnostic.message);
      continue;
    }
    LineColumn at = line_column(*diagnostic.range.source, diagnostic.range.begin);
    result += fmt::format("{}:{}:{}: {}: {}\n{}", diagnostic.range.source->name, at.line, at.column,
                          severity, diagnostic.message, excerpt(diagnostic.range));
  }
  return result;
}

static size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::string_view closest(std::string_view word, const std::vector<std::string_view> &known) {
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (std::string_view candidate : known) {
    size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

} // namespace cnnc
