// Random weights, for trying a network without its trained ones.
#pragma once

#include <cstdint>
#include <span>

namespace cnnc {

/// Normally distributed values with mean 0 and standard deviation sqrt(2 / fan_in): He et al. 2015,
/// "Delving deep into rectifiers". `fan_in` is the number of inputs of one output (ic / groups * kh
/// * kw of a convolution); below 1 counts as 1.
///
/// Element i depends only on `seed` and `first_index + i`: threads can fill parts of one tensor,
/// and the values are the same bits on every machine, since no function of libm but the exactly
/// rounded sqrt is involved.
void fill_random_he(std::span<float> out, int64_t fan_in, uint64_t seed, uint64_t first_index = 0);

} // namespace cnnc
