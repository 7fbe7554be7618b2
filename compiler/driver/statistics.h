// --stats: what every pass has done, in numbers.
#pragma once

#include "compiler/cnnc.h"

namespace cnnc::driver {

/// A table with a row for each number that a pass has changed.
std::string statistics_table(const std::vector<PassStatistics> &passes);
/// A list with an object for every pass: name, time in milliseconds, and what it has changed.
std::string statistics_json(const std::vector<PassStatistics> &passes);

} // namespace cnnc::driver
