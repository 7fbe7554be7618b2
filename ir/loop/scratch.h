// How much memory of its own a kernel needs for the `scratch` of its text.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

/// Every scratch begins at a multiple of this many bytes, a cache line.
inline constexpr int64_t scratch_alignment = 64;

struct ScratchSize {
  int64_t shared = 0; // bytes, declared outside of parallel loops: once for the kernel
  int64_t worker = 0; // bytes, declared inside: once for each worker
};

/// Bytes of one scratch, rounded up to the alignment.
int64_t scratch_bytes(const Register &scratch);

/// The most that is alive at a time. Both parts are multiples of the alignment.
ScratchSize scratch_size(const Kernel &kernel);

} // namespace cnnc::loop
