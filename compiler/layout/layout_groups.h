// Values of which one lies within another, and which therefore share their layout.
#pragma once

#include "ir/graph/graph.h"

#include <span>

namespace cnnc {

/// Sets of values, each alone at first.
class LayoutGroups {
public:
  /// All values in the group of `value`, itself included. To be read before the next join().
  std::span<const ValueId> members(ValueId value);
  void join(ValueId a, ValueId b);

  /// Closes the group of a value, for good, and with it all that join it.
  void close(ValueId value) { group(value).closed = true; }
  bool is_closed(ValueId value) { return group(value).closed; }

private:
  struct Group {
    std::vector<ValueId> members;
    bool closed = false;
  };
  Group &group(ValueId value);

  std::vector<Group> groups_;
  std::vector<uint32_t> group_of_; // of each value; no_id: in none yet, hence alone
};

} // namespace cnnc
