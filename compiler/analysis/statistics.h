// What a text consists of, in numbers: what a pass has done is the difference.
#pragma once

#include "ir/module/module.h"

#include <map>
#include <string>

namespace cnnc {

/// Of the graphs: ops in all and by their names, convolutions by Winograd's method and those that
/// skip rows of padding, values with a type, in blocks and with a halo, kernels, those with a
/// schedule, fused ops (those of kernels but their first), bytes of constants that are read, of the
/// values that ops write and of the workspace (of one image, when the batch is symbolic). Of the
/// loops: kernels, loops by their kind, registers, locals (values that ops hand on through memory),
/// assignments. No entry is 0.
std::map<std::string, int64_t> count_text(const Module &module);

} // namespace cnnc
