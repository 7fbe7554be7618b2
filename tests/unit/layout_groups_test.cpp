// Values that share one layout.
#include "compiler/layout/layout_groups.h"

#include <algorithm>
#include <gtest/gtest.h>

using namespace cnnc;

namespace {

TEST(LayoutGroups, MembersOfJoinedGroups) {
  LayoutGroups groups;
  groups.join(1, 2);
  groups.join(4, 3);
  groups.join(2, 3);
  for (ValueId value : {1, 2, 3, 4}) {
    std::vector<ValueId> members(groups.members(value).begin(), groups.members(value).end());
    std::ranges::sort(members);
    EXPECT_EQ(members, (std::vector<ValueId>{1, 2, 3, 4}));
  }
  EXPECT_EQ(groups.members(0).size(), 1U);
}

/// Whichever of the two is closed, and whichever is larger.
TEST(LayoutGroups, StayClosedWhenJoined) {
  for (bool small_is_closed : {false, true})
    for (bool small_first : {false, true}) {
      LayoutGroups groups;
      groups.join(1, 2);
      groups.close(small_is_closed ? 3 : 1);
      small_first ? groups.join(3, 2) : groups.join(2, 3);
      for (ValueId value : {1, 2, 3})
        EXPECT_TRUE(groups.is_closed(value));
      EXPECT_FALSE(groups.is_closed(4));
    }
}

} // namespace
