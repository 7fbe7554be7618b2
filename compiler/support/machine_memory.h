// How much memory there is.
#pragma once

#include <cstdint>

namespace cnnc {

/// Bytes of memory of this machine, or of the control group that the process is in, if that has
/// less.
uint64_t machine_memory();

} // namespace cnnc
