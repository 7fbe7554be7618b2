// The passes over the loops of one kernel, one file each. Function = file = `--passes=name` = test.
// Each obeys a part of the kernel's schedule and removes what it has done from it. A pass returns
// false after it has reported an error. compiler/pipeline/pipeline.cpp has their order.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/loop/loop.h"

namespace cnnc {

bool fuse_loops(loop::Kernel &kernel, PassContext &context);
bool tile_loops(loop::Kernel &kernel, PassContext &context);
bool vectorize_loops(loop::Kernel &kernel, PassContext &context);
bool unroll_loops(loop::Kernel &kernel, PassContext &context);
bool parallelize_loops(loop::Kernel &kernel, PassContext &context);
bool simplify_loops(loop::Kernel &kernel, PassContext &context);
bool check_bounds(loop::Kernel &kernel, PassContext &context);

} // namespace cnnc
