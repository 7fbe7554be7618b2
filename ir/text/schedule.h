// The schedule of a kernel: how its loops are to be cut, as an attribute that stands in both texts.
//
//   schedule(vector=oc:16, tile=[oc:32, ow:12], unroll=ic:4, parallel=[n, oh, oc], block=oh:4,
//            partial=ic:256, prefetch=4096)
//
// choose_schedule writes it (the policy), lowering and the loop passes obey it and remove what they
// have done (the mechanism). Loops carry the names that lowering gives them, which
// compiler/lowering/loops.h lists.
#pragma once

#include "ir/text/lexer.h"

#include <string>
#include <vector>

namespace cnnc {

/// A loop by name. Where the name stands in the text is no part of what it says.
struct LoopName {
  std::string loop;
  SourceRange range; // empty where a pass chose the loop

  LoopName(std::string name, SourceRange where = {}) // NOLINT: names are loops
      : loop(std::move(name)), range(std::move(where)) {}
  LoopName(const char *name) : loop(name) {} // NOLINT
  bool operator==(const LoopName &other) const { return loop == other.loop; }
};

/// A loop by name, and a size: tile size, vector width or unroll count.
struct LoopFactor {
  std::string loop;
  int64_t size = 1;
  SourceRange range = {}; // of the name, as above
  bool operator==(const LoopFactor &other) const {
    return loop == other.loop && size == other.size;
  }
};

struct Schedule {
  std::vector<LoopFactor> vector;  // loops whose iterations become vector lanes, one per nest
  std::vector<LoopFactor> tile;    // the register tile: iterations computed together
  std::vector<LoopFactor> unroll;  // iterations of a reduction loop written out
  std::vector<LoopName> parallel;  // outermost loops whose iterations are shared among threads
  std::vector<LoopFactor> block;   // of those: so many iterations before the next loop's turn
  std::vector<LoopFactor> partial; // of a sum's loop: so many iterations make a partial sum
  std::vector<LoopFactor> stage;   // what of an op's intermediate results is in memory at a time
  int64_t prefetch = 0;            // bytes ahead of their use where weights are fetched; 0: not

  bool empty() const { return *this == Schedule{}; }
  bool operator==(const Schedule &) const = default;
};

/// `schedule(...)`, or nothing for an empty schedule.
std::string to_string(const Schedule &schedule);

/// Reads the parenthesised part after the word `schedule`. Reports and returns empty on error.
std::optional<Schedule> parse_schedule(TokenCursor &cursor);

/// Lanes of the widest vector that a schedule may ask for: four registers of AVX-512.
inline constexpr int64_t most_lanes = 64;

/// Reports, at the name or else at the kernel, every loop that the schedule names but that is none
/// of `loops`. Returns whether there is none.
bool check_names(const Schedule &schedule, const std::vector<std::string> &loops,
                 std::string_view kernel, const SourceRange &kernel_range,
                 Diagnostics &diagnostics);

/// Reports in the same way what entries ask for that cannot be, or not together: vectors whose
/// lanes are no power of two, tiles that are no whole vectors, blocks of loops that are not
/// parallel.
bool check_sizes(const Schedule &schedule, const SourceRange &kernel_range,
                 Diagnostics &diagnostics);

/// Reads the number behind `prefetch=`, here and behind a buffer of the loops text.
std::optional<int64_t> parse_prefetch_distance(TokenCursor &cursor);

} // namespace cnnc
