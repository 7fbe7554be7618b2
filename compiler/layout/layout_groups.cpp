#include "compiler/layout/layout_groups.h"

#include <utility>

namespace cnnc {

LayoutGroups::Group &LayoutGroups::group(ValueId value) {
  if (value >= group_of_.size())
    group_of_.resize(size_t(value) + 1, no_id);
  if (group_of_[value] == no_id) {
    group_of_[value] = static_cast<uint32_t>(groups_.size());
    groups_.push_back({{value}, false});
  }
  return groups_[group_of_[value]];
}

std::span<const ValueId> LayoutGroups::members(ValueId value) { return group(value).members; }

/// The smaller group moves into the larger: joining many values takes little more than linear time.
void LayoutGroups::join(ValueId a, ValueId b) {
  group(a), group(b); // exist from here on
  uint32_t into = group_of_[a], from = group_of_[b];
  if (into == from)
    return;
  if (groups_[into].members.size() < groups_[from].members.size())
    std::swap(into, from);
  for (ValueId member : groups_[from].members) {
    group_of_[member] = into;
    groups_[into].members.push_back(member);
  }
  groups_[into].closed = groups_[into].closed || groups_[from].closed;
  groups_[from] = {};
}

} // namespace cnnc
