// Convolutions whose groups do not fill vectors of channels, in blocks of channels all the same.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// After how many vectors of output channels the groups lie in the vectors as they did in the first
/// ones, outputs and inputs. A register tile of so many vectors (all there are, where that is fewer)
/// knows for each lane which element of its group's inputs it takes: 1 for groups of 4 channels and
/// 16 lanes, 3 for groups of 24. Empty for groups that fill vectors, depthwise convolutions, and
/// those for which no small tile does or whose inputs lie too far apart.
std::optional<int64_t> vectors_of_small_groups(const Conv2d &conv,
                                               const std::vector<int64_t> &filter, int64_t lanes);

} // namespace cnnc
