#include "compiler/reference/random.h"

#include "compiler/reference/compute.h"

namespace cnnc::reference {

namespace {

/// lowbias32 (Wellons, "Prospecting for Hash Functions", 2018): every bit of the result changes
/// with every bit of x, with a probability close to 1/2.
uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352d;
  x = (x ^ (x >> 15)) * 0x846ca68b;
  return x ^ (x >> 16);
}

/// The counter as an integer: towards zero and saturating, NaN is 0.
uint32_t whole(float counter) {
  return counter >= 0x1p32F ? UINT32_MAX : counter > 0 ? static_cast<uint32_t>(counter) : 0;
}

} // namespace

float uniform(uint32_t place, uint32_t seed, float counter) {
  constexpr uint32_t golden = 0x9e3779b9;
  const uint32_t first = mix(mix(seed + golden) + whole(counter));
  const uint32_t second = mix(first + golden);
  return static_cast<float>(mix(mix(place ^ first) + second) >> 8) * 0x1p-24F;
}

Tensors compute(const RandomUniform &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const float counter = operands[0]->floats()[0];
  uint32_t place = 0;
  for (float &element : result.mutable_floats())
    element = uniform(place++, static_cast<uint32_t>(op.seed), counter);
  return {result};
}

} // namespace cnnc::reference
