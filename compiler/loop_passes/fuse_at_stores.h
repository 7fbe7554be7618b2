// Fusion at stores, for producers that are no plain nest over their result: a helper of fuse_loops.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc {

/// Moves the nest that reads a local buffer to the places where another nest stores its elements.
/// Returns false, with the kernel as it was, when the two do not fit together.
///
///   for t in 0..9 {                                      for t in 0..9 {
///     reg y: f32[2]; ...                                   reg y: f32[2]; ...
///     unroll i in 0..2 { c[t * 2 + i] = y[i] }       =>    unroll i in 0..2 {
///   }                                                        reg c: f32; c = y[i]
///   for h in 0..18 { r[h] = max(0, c[h]) }                   r[t * 2 + i] = max(0, c)
///                                                          } }
///
/// A pool reads windows of what unrolled loops store: these keep all of it in a register array.
bool fuse_at_stores(loop::Kernel &kernel, const loop::Buffer &local);

} // namespace cnnc
