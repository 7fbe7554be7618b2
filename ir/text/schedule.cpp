#include "ir/text/schedule.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

std::string spell(const std::vector<LoopFactor> &factors) {
  std::vector<std::string> items;
  for (const LoopFactor &factor : factors)
    items.push_back(fmt::format("{}:{}", factor.loop, factor.size));
  return items.size() == 1 ? items[0] : fmt::format("[{}]", fmt::join(items, ", "));
}

std::string spell(const std::vector<std::string> &loops) {
  return loops.size() == 1 ? loops[0] : fmt::format("[{}]", fmt::join(loops, ", "));
}

bool parse_factor(TokenCursor &cursor, std::vector<LoopFactor> &factors) {
  std::optional<Token> loop = cursor.expect(TokenKind::identifier, "the name of a loop");
  if (!loop || !cursor.expect(":"))
    return false;
  SourceRange range = cursor.peek().range;
  std::optional<int64_t> size = cursor.expect_integer("a size");
  if (!size)
    return false;
  if (*size < 1 || *size > 4096) {
    cursor.error_at(range, fmt::format("the size {} is not between 1 and 4096", *size));
    return false;
  }
  factors.push_back({loop->text, *size});
  return true;
}

bool parse_loop_name(TokenCursor &cursor, std::vector<std::string> &loops) {
  std::optional<Token> loop = cursor.expect(TokenKind::identifier, "the name of a loop");
  if (loop)
    loops.push_back(loop->text);
  return loop.has_value();
}

/// One item, or several in brackets.
template <class Item, class ParseItem>
bool parse_items(TokenCursor &cursor, std::vector<Item> &items, ParseItem parse_item) {
  if (!cursor.accept("["))
    return parse_item(cursor, items);
  do
    if (!parse_item(cursor, items))
      return false;
  while (cursor.accept(","));
  return cursor.expect("]");
}

bool parse_entry(TokenCursor &cursor, Schedule &schedule) {
  std::optional<Token> key = cursor.expect(
      TokenKind::identifier, "one of vector, tile, unroll, parallel, block, prefetch");
  if (!key || !cursor.expect("="))
    return false;
  if (key->text == "vector")
    return parse_items(cursor, schedule.vector, parse_factor);
  if (key->text == "tile")
    return parse_items(cursor, schedule.tile, parse_factor);
  if (key->text == "unroll")
    return parse_items(cursor, schedule.unroll, parse_factor);
  if (key->text == "parallel")
    return parse_items(cursor, schedule.parallel, parse_loop_name);
  if (key->text == "block")
    return parse_items(cursor, schedule.block, parse_factor);
  if (key->text == "prefetch")
    return (schedule.prefetch = parse_prefetch_distance(cursor).value_or(0)) > 0;
  cursor.error_at(key->range, fmt::format("a schedule has no '{}': it has vector, tile, "
                                          "unroll, parallel, block and prefetch",
                                          key->text));
  return false;
}

} // namespace

std::string to_string(const Schedule &schedule) {
  std::vector<std::string> entries;
  if (!schedule.vector.empty())
    entries.push_back("vector=" + spell(schedule.vector));
  if (!schedule.tile.empty())
    entries.push_back("tile=" + spell(schedule.tile));
  if (!schedule.unroll.empty())
    entries.push_back("unroll=" + spell(schedule.unroll));
  if (!schedule.parallel.empty())
    entries.push_back("parallel=" + spell(schedule.parallel));
  if (!schedule.block.empty())
    entries.push_back("block=" + spell(schedule.block));
  if (schedule.prefetch > 0)
    entries.push_back(fmt::format("prefetch={}", schedule.prefetch));
  return entries.empty() ? "" : fmt::format("schedule({})", fmt::join(entries, ", "));
}

std::optional<int64_t> parse_prefetch_distance(TokenCursor &cursor) {
  constexpr int64_t least = 64, most = 65536; // a cache line; what caches can hold until it is used
  SourceRange range = cursor.peek().range;
  std::optional<int64_t> bytes = cursor.expect_integer("a number of bytes");
  if (bytes && (*bytes < least || *bytes > most)) {
    cursor.error_at(range, fmt::format("the distance of {} bytes is not between {} and {}", *bytes,
                                       least, most));
    return std::nullopt;
  }
  return bytes;
}

std::optional<Schedule> parse_schedule(TokenCursor &cursor) {
  Schedule schedule;
  if (!cursor.expect("("))
    return std::nullopt;
  if (cursor.accept(")"))
    return schedule;
  do
    if (!parse_entry(cursor, schedule))
      return std::nullopt;
  while (cursor.accept(","));
  if (!cursor.expect(")"))
    return std::nullopt;
  return schedule;
}

} // namespace cnnc
