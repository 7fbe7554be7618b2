#include "compiler/pass/override.h"

#include "ir/graph/attribute_parser.h"
#include "ir/graph/op.h"
#include "ir/text/schedule_entries.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// Of conv2d.
constexpr std::array<std::string_view, 2> algorithm_attributes = {"winograd", "padded_rows"};

bool is_attribute(std::string_view entry) {
  return std::ranges::find(algorithm_attributes, entry) != algorithm_attributes.end();
}

std::vector<std::string_view> legal_entries() {
  std::vector<std::string_view> entries(algorithm_attributes.begin(), algorithm_attributes.end());
  entries.insert(entries.end(), schedule_entries().begin(), schedule_entries().end());
  return entries;
}

/// Where the name ends and the entry begins: the last dot before the = that stands in no quotes.
std::optional<size_t> find_dot(std::string_view text) {
  std::optional<size_t> dot;
  bool quoted = false;
  for (size_t i = 0; i < text.size() && (quoted || text[i] != '='); ++i) {
    if (text[i] == '"')
      quoted = !quoted;
    if (text[i] == '.' && !quoted)
      dot = i;
  }
  return dot;
}

/// Names have dots inside, but the last one is none of the name: the lexer sees a blank there.
std::vector<Token> tokenize_override(const std::string &text, Diagnostics &diagnostics) {
  auto source = std::make_shared<Source>(Source{std::string(override_source), text});
  const std::optional<size_t> dot = find_dot(text);
  if (dot)
    source->text[*dot] = ' ';
  std::vector<Token> tokens = tokenize(source, diagnostics);
  if (dot)
    source->text[*dot] = '.';
  return tokens;
}

bool parse_target(TokenCursor &cursor, Override &result) {
  const Token target = cursor.next();
  if (target.kind != TokenKind::symbol && target.kind != TokenKind::value) {
    cursor.error_at(target.range,
                    fmt::format("expected what to set of a kernel or of the op that computes a "
                                "value, as in @conv1.{0}=.. or %c.{0}=..",
                                legal_entries().front()));
    return false;
  }
  result.names_kernel = target.kind == TokenKind::symbol;
  result.name = target.text;
  result.name_range = target.range;
  return true;
}

bool parse_entry_name(TokenCursor &cursor, Override &result) {
  const Token entry = cursor.peek();
  result.entry = entry.text;
  result.entry_range = entry.range;
  const std::vector<std::string_view> legal = legal_entries();
  if (entry.kind == TokenKind::identifier && std::ranges::find(legal, entry.text) != legal.end())
    return true;
  const std::string_view guess =
      entry.kind == TokenKind::identifier ? closest(entry.text, legal) : std::string_view();
  if (entry.kind != TokenKind::identifier)
    cursor.error_at(entry.range, fmt::format("expected '.' and what to set of {}: {}",
                                             result.subject(), fmt::join(legal, ", ")));
  else if (guess.empty())
    cursor.error_at(entry.range, fmt::format("there is no '{}' to set, only {}", entry.text,
                                             fmt::join(legal, ", ")));
  else
    cursor.error_at(entry.range,
                    fmt::format("there is no '{}' to set; did you mean '{}'?", entry.text, guess));
  return false;
}

bool parse_attribute(TokenCursor &cursor, Override &result) {
  cursor.next();
  if (!cursor.expect("="))
    return false;
  const SourceRange begin = cursor.peek().range;
  result.attribute = parse_attribute_value(cursor);
  if (!result.attribute)
    return false;
  const SourceRange range = join(begin, cursor.previous().range);
  Op op = Conv2d{};
  const OpInfo &info = info_of(op);
  const auto attribute = std::ranges::find_if(info.attributes, [&](const AttributeInfo &candidate) {
    return candidate.name == result.entry;
  });
  if (attribute->set(op, *result.attribute))
    return true;
  cursor.error_at(range, fmt::format("'{}' must be {}, not {}", result.entry, attribute->type,
                                     to_string(*result.attribute)));
  return false;
}

bool parse_value(TokenCursor &cursor, Override &result) {
  if (is_attribute(result.entry))
    return parse_attribute(cursor, result);
  std::optional<Schedule> schedule = parse_schedule_entry(cursor);
  if (schedule)
    result.schedule = std::move(*schedule);
  return schedule.has_value();
}

} // namespace

SourceRange Override::range() const { return join(name_range, value_range); }

std::string Override::subject() const { return (names_kernel ? "@" : "%") + format_name(name); }

std::optional<Override> parse_override(const std::string &text, Diagnostics &diagnostics) {
  const size_t errors = diagnostics.error_count();
  TokenCursor cursor(tokenize_override(text, diagnostics), diagnostics);
  Override result;
  if (diagnostics.error_count() != errors || !parse_target(cursor, result) ||
      !parse_entry_name(cursor, result))
    return std::nullopt;
  const SourceRange value_begin = cursor.peek(2).range;
  if (!parse_value(cursor, result))
    return std::nullopt;
  if (!cursor.at_end()) {
    cursor.error("this is too much: one decision for each --set");
    return std::nullopt;
  }
  result.value_range = join(value_begin, cursor.previous().range);
  return result;
}

std::optional<std::vector<Override>> parse_overrides(const std::vector<std::string> &texts,
                                                     Diagnostics &diagnostics) {
  const size_t errors = diagnostics.error_count();
  std::vector<Override> result;
  for (const std::string &text : texts) {
    std::optional<Override> parsed = parse_override(text, diagnostics);
    if (!parsed)
      continue;
    for (const Override &other : result)
      if (other.subject() == parsed->subject() && other.entry == parsed->entry) {
        diagnostics.error(parsed->entry_range,
                          fmt::format("'{}' of {} is set twice", parsed->entry, parsed->subject()));
        diagnostics.note(other.range(), "the first time is here");
      }
    result.push_back(std::move(*parsed));
  }
  if (diagnostics.error_count() != errors)
    return std::nullopt;
  return result;
}

void report_unknown(const Override &override, const std::vector<std::string> &known,
                    Diagnostics &diagnostics) {
  const std::string_view guess = closest(override.name, {known.begin(), known.end()});
  diagnostics.error(
      override.name_range,
      fmt::format("there is no {} {}{}", override.names_kernel ? "kernel" : "value in a kernel",
                  override.subject(),
                  guess.empty()
                      ? "; --emit=graph shows all"
                      : fmt::format("; did you mean {}{}?", override.names_kernel ? "@" : "%",
                                    format_name(std::string(guess)))));
}

} // namespace cnnc
