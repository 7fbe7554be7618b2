// The page of a compiled model: one file of HTML with its style, its script and its data.
#pragma once

#include "compiler/report/compilation.h"
#include "compiler/support/jobs.h"

namespace cnnc::report {

/// The page. `progress` counts sections.
std::string make_page(const Compilation &compilation, const Progress &progress);

} // namespace cnnc::report
