// The guard against register tiles that are too large: what choose_schedule decides by counting
// registers, the code that LLVM made of it may refute.
#pragma once

#include "compiler/api/session.h"
#include "compiler/codegen/object.h"

namespace cnnc {

/// Reduces the pixels of a tile by a row, or by a sixth of a row. Its channels stay, since the
/// weights are packed for them. False when there is only one pixel.
bool shrink_pixels(Schedule &schedule);

/// Looks at the object of every kernel (in the same order; named by symbols) for accumulators that
/// its inner loops spill. Where the compiler chose the tile, the kernel is cut again into smaller
/// tiles, and the one that spills least replaces the kernel and its object; where the user did, he
/// is told. Each of these is a remark. Returns false after an error of code generation.
bool fit_registers(Session &session, std::vector<loop::Kernel> &kernels,
                   std::vector<codegen::CompiledObject> &objects);

} // namespace cnnc
