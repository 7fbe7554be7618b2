#include "compiler/layout/layout_groups.h"

#include <algorithm>

namespace cnnc {

std::vector<ValueId> LayoutGroups::members(ValueId value) const {
  bool alone = value >= group_of_.size() || group_of_[value] == no_id;
  return alone ? std::vector{value} : groups_[group_of_[value]];
}

void LayoutGroups::join(ValueId a, ValueId b) {
  std::vector<ValueId> joined = members(a), other = members(b);
  if (std::find(joined.begin(), joined.end(), b) != joined.end())
    return;
  joined.insert(joined.end(), other.begin(), other.end());
  group_of_.resize(std::max({group_of_.size(), size_t(a) + 1, size_t(b) + 1}), no_id);
  uint32_t group = group_of_[a] != no_id ? group_of_[a] : group_of_[b];
  if (group == no_id) {
    group = static_cast<uint32_t>(groups_.size());
    groups_.emplace_back();
  }
  for (ValueId member : joined)
    group_of_[member] = group;
  groups_[group] = std::move(joined);
}

} // namespace cnnc
