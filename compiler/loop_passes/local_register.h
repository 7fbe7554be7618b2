// The register that takes the place of a local buffer where nests are joined.
#pragma once

#include "ir/loop/loop.h"

#include <span>

namespace cnnc {

/// Its type: that of a local of f32 or i32; i32 for shorter integers that the statements which read
/// the local only copy to buffers of integers, f32 for all others.
DType register_of(const loop::Kernel &kernel, const loop::Buffer &local,
                  std::span<const loop::Statement> readers);

} // namespace cnnc
