// Single entries of a schedule, for those who change one and leave the others.
#pragma once

#include "ir/text/schedule.h"

namespace cnnc {

/// What a schedule can have, in the order in which it is printed: vector, tile, unroll ...
const std::vector<std::string_view> &schedule_entries();

/// Reads `tile=[oc:32, ow:12]` without the parentheses around it, or `tile=none` for a schedule
/// without the entry. Reports and returns empty on error.
std::optional<Schedule> parse_schedule_entry(TokenCursor &cursor);

/// Gives a schedule the entry of this name as another has it, or takes it away where that has none.
void take_entry(Schedule &schedule, std::string_view entry, const Schedule &from);

} // namespace cnnc
