// The counter-based random numbers of random_uniform, defined in compiler/README.md.
#pragma once

#include <cstdint>

namespace cnnc::reference {

/// Number `place` of those that belong to a seed and a counter: a multiple of 2^-24 in [0, 1).
float uniform(uint32_t place, uint32_t seed, float counter);

} // namespace cnnc::reference
