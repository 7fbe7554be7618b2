// From how much work on a kernel is shared among threads.
#pragma once

#include <cstdint>

namespace cnnc {

/// Below this many operations a kernel is not worth the moment that threads need to meet. Small
/// ones are: their inputs lie in the caches of the threads that wrote them.
constexpr int64_t parallel_threshold = 25'000;

} // namespace cnnc
