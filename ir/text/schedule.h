// The schedule of a kernel: how its loops are to be cut, as an attribute that stands in both texts.
//
//   schedule(vector=oc:16, tile=[oc:32, ow:12], unroll=ic:4, parallel=[n, oh, oc], block=oh:4,
//   prefetch=4096)
//
// choose_schedule writes it (the policy), the loop passes obey it and remove what they have done
// (the mechanism). Dimensions carry the names of the loops that lowering makes.
#pragma once

#include "ir/text/lexer.h"

#include <string>
#include <vector>

namespace cnnc {

/// A loop by name, and a size: tile size, vector width or unroll count.
struct LoopFactor {
  std::string loop;
  int64_t size = 1;
  bool operator==(const LoopFactor &) const = default;
};

struct Schedule {
  std::vector<LoopFactor> vector;    // loops whose iterations become vector lanes, one per nest
  std::vector<LoopFactor> tile;      // the register tile: iterations computed together
  std::vector<LoopFactor> unroll;    // iterations of a reduction loop written out
  std::vector<std::string> parallel; // outermost loops whose iterations are shared among threads
  std::vector<LoopFactor> block;     // of those: so many iterations before the next loop's turn
  int64_t prefetch = 0;              // bytes ahead of their use where weights are fetched; 0: not

  bool empty() const { return *this == Schedule{}; }
  bool operator==(const Schedule &) const = default;
};

/// `schedule(...)`, or nothing for an empty schedule.
std::string to_string(const Schedule &schedule);

/// Reads the parenthesised part after the word `schedule`. Reports and returns empty on error.
std::optional<Schedule> parse_schedule(TokenCursor &cursor);

/// Reads the number behind `prefetch=`, here and behind a buffer of the loops text.
std::optional<int64_t> parse_prefetch_distance(TokenCursor &cursor);

} // namespace cnnc
