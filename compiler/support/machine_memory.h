// How much memory there is.
#pragma once

#include <cstdint>

namespace cnnc {

/// Bytes of memory of this machine, or of the control group that the process is in, if that has
/// less.
uint64_t machine_memory();

/// What may be used of it: what the user allows (--max-memory), or half of it when that is 0.
inline uint64_t usable_memory(uint64_t allowed) {
  return allowed > 0 ? allowed : machine_memory() / 2;
}

} // namespace cnnc
