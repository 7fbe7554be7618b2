#include "ir/text/schedule.h"
#include "ir/text/schedule_entries.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// The entries that give loops a size, in the order in which they are printed.
struct FactorEntry {
  std::string_view name;
  std::vector<LoopFactor> Schedule::*factors;
};
constexpr FactorEntry factor_entries[] = {
    {"vector", &Schedule::vector}, {"tile", &Schedule::tile},       {"unroll", &Schedule::unroll},
    {"block", &Schedule::block},   {"partial", &Schedule::partial}, {"stage", &Schedule::stage}};

std::string spell(const LoopFactor &factor) {
  return fmt::format("{}:{}", factor.loop, factor.size);
}
std::string spell(const LoopName &name) { return name.loop; }

template <class Item>
void add_entry(std::vector<std::string> &entries, std::string_view name,
               const std::vector<Item> &items) {
  std::vector<std::string> spelt;
  for (const Item &item : items)
    spelt.push_back(spell(item));
  if (spelt.size() == 1)
    entries.push_back(fmt::format("{}={}", name, spelt[0]));
  else if (!spelt.empty())
    entries.push_back(fmt::format("{}=[{}]", name, fmt::join(spelt, ", ")));
}

std::optional<LoopFactor> parse_factor(TokenCursor &cursor) {
  std::optional<Token> loop = cursor.expect(TokenKind::identifier, "the name of a loop");
  if (!loop || !cursor.expect(":"))
    return std::nullopt;
  SourceRange range = cursor.peek().range;
  std::optional<int64_t> size = cursor.expect_integer("a size");
  if (!size)
    return std::nullopt;
  if (*size < 1 || *size > 4096) {
    cursor.error_at(range, fmt::format("the size {} is not between 1 and 4096", *size));
    return std::nullopt;
  }
  return LoopFactor{loop->text, *size, loop->range};
}

std::optional<LoopName> parse_loop_name(TokenCursor &cursor) {
  std::optional<Token> loop = cursor.expect(TokenKind::identifier, "the name of a loop");
  return loop ? std::optional(LoopName{loop->text, loop->range}) : std::nullopt;
}

/// One item, or several in brackets, each for another loop.
template <class Item, class ParseItem>
bool parse_items(TokenCursor &cursor, const Token &entry, std::vector<Item> &items,
                 ParseItem parse_item) {
  const bool several = cursor.accept("[");
  do {
    std::optional<Item> item = parse_item(cursor);
    if (!item)
      return false;
    for (const Item &other : items)
      if (other.loop == item->loop) {
        cursor.error_at(item->range,
                        fmt::format("'{}' names the loop {} twice", entry.text, item->loop));
        return false;
      }
    items.push_back(std::move(*item));
  } while (several && cursor.accept(","));
  return !several || cursor.expect("]");
}

bool parse_entry(TokenCursor &cursor, Schedule &schedule, std::vector<std::string> &seen) {
  std::optional<Token> key = cursor.expect(
      TokenKind::identifier, fmt::format("one of {}", fmt::join(schedule_entries(), ", ")));
  if (!key || !cursor.expect("="))
    return false;
  if (std::find(seen.begin(), seen.end(), key->text) != seen.end()) {
    cursor.error_at(key->range, fmt::format("'{}' is given twice", key->text));
    return false;
  }
  seen.push_back(key->text);
  for (const FactorEntry &entry : factor_entries)
    if (key->text == entry.name)
      return parse_items(cursor, *key, schedule.*entry.factors, parse_factor);
  if (key->text == "parallel")
    return parse_items(cursor, *key, schedule.parallel, parse_loop_name);
  if (key->text == "prefetch")
    return (schedule.prefetch = parse_prefetch_distance(cursor).value_or(0)) > 0;
  cursor.error_at(key->range, fmt::format("a schedule has no '{}': it has {}", key->text,
                                          fmt::join(schedule_entries(), ", ")));
  return false;
}

} // namespace

const std::vector<std::string_view> &schedule_entries() {
  static const std::vector<std::string_view> names = {"vector", "tile",    "unroll", "parallel",
                                                      "block",  "partial", "stage",  "prefetch"};
  return names;
}

std::optional<Schedule> parse_schedule_entry(TokenCursor &cursor) {
  Schedule schedule;
  if (cursor.peek(1).text == "=" && cursor.peek(2).text == "none") {
    for (int i = 0; i < 3; ++i)
      cursor.next();
    return schedule;
  }
  std::vector<std::string> seen;
  return parse_entry(cursor, schedule, seen) ? std::optional(std::move(schedule)) : std::nullopt;
}

void take_entry(Schedule &schedule, std::string_view name, const Schedule &from) {
  for (const FactorEntry &entry : factor_entries)
    if (entry.name == name)
      schedule.*entry.factors = from.*entry.factors;
  if (name == "parallel")
    schedule.parallel = from.parallel;
  if (name == "prefetch")
    schedule.prefetch = from.prefetch;
}

std::string to_string(const Schedule &schedule) {
  std::vector<std::string> entries;
  for (const FactorEntry &entry : factor_entries) {
    if (entry.factors == &Schedule::block)
      add_entry(entries, "parallel", schedule.parallel);
    add_entry(entries, entry.name, schedule.*entry.factors);
  }
  if (schedule.prefetch > 0)
    entries.push_back(fmt::format("prefetch={}", schedule.prefetch));
  return entries.empty() ? "" : fmt::format("schedule({})", fmt::join(entries, ", "));
}

bool check_names(const Schedule &schedule, const std::vector<std::string> &loops,
                 std::string_view kernel, const SourceRange &kernel_range,
                 Diagnostics &diagnostics) {
  const size_t errors = diagnostics.error_count();
  auto check = [&](std::string_view loop, const SourceRange &range) {
    if (std::find(loops.begin(), loops.end(), loop) == loops.end())
      diagnostics.error(range.known() ? range : kernel_range,
                        fmt::format("@{} has no loop '{}': its loops are {}", kernel, loop,
                                    fmt::join(loops, ", ")));
  };
  for (const FactorEntry &entry : factor_entries)
    for (const LoopFactor &factor : schedule.*entry.factors)
      check(factor.loop, factor.range);
  for (const LoopName &name : schedule.parallel)
    check(name.loop, name.range);
  return diagnostics.error_count() == errors;
}

bool check_sizes(const Schedule &schedule, const SourceRange &kernel_range,
                 Diagnostics &diagnostics) {
  const size_t errors = diagnostics.error_count();
  auto error = [&](const LoopFactor &factor, std::string message) {
    diagnostics.error(factor.range.known() ? factor.range : kernel_range, std::move(message));
  };
  for (const LoopFactor &factor : schedule.block)
    if (std::find(schedule.parallel.begin(), schedule.parallel.end(), factor.loop) ==
        schedule.parallel.end())
      error(factor,
            fmt::format("'block' is for loops that 'parallel' names, and {} is none", factor.loop));
  for (const LoopFactor &vector : schedule.vector) {
    if (!std::has_single_bit(static_cast<uint64_t>(vector.size)) || vector.size > most_lanes)
      error(vector, fmt::format("a vector of {} lanes: 1, 2, 4 and so on up to {} are possible",
                                vector.size, most_lanes));
    for (const LoopFactor &tile : schedule.tile)
      if (tile.loop == vector.loop && tile.size % vector.size != 0)
        error(tile, fmt::format("the tile of {} iterations of {} is no multiple of its vector of "
                                "{} lanes",
                                tile.size, tile.loop, vector.size));
  }
  return diagnostics.error_count() == errors;
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
  std::vector<std::string> seen;
  do
    if (!parse_entry(cursor, schedule, seen))
      return std::nullopt;
  while (cursor.accept(","));
  if (!cursor.expect(")"))
    return std::nullopt;
  return schedule;
}

} // namespace cnnc
