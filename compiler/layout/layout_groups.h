// Values of which one lies within another, and which therefore share their layout.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Sets of values, each alone at first.
class LayoutGroups {
public:
  /// All values in the group of `value`, itself included.
  std::vector<ValueId> members(ValueId value) const;
  void join(ValueId a, ValueId b);

private:
  std::vector<std::vector<ValueId>> groups_; // of more than one value
  std::vector<uint32_t> group_of_;           // of each value; no_id: alone
};

} // namespace cnnc
