#include "compiler/reference/compute.h"
#include "compiler/tensor/element.h"
#include "ir/weights/random.h"

#include <algorithm>

namespace cnnc::reference {

namespace {

/// Calls `function` with the elements as a span of their C++ type.
template <class Function> void visit_elements(Tensor &tensor, Function function) {
  with_element(tensor.type().dtype, [&]<class T>(T) { function(tensor.mutable_elements<T>()); });
}

/// Element i is 0.5 + 24 bits of the i-th output of SplitMix64 (Steele, Lea, Flood 2014), as a
/// fraction.
void fill_uniform(std::span<float> elements, uint64_t seed) {
  uint64_t state = seed;
  for (float &element : elements) {
    uint64_t bits = state += 0x9e3779b97f4a7c15;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    bits ^= bits >> 31;
    element = 0.5f + static_cast<float>(bits >> 40) * 0x1p-24f;
  }
}

template <class T> T convert_element(double value) { return static_cast<T>(value); }

} // namespace

Tensors compute(const Splat &op, const Operands &, const Types &types) {
  Tensor result(types[0]);
  visit_elements(result, [&]<class T>(std::span<T> elements) {
    std::fill(elements.begin(), elements.end(), convert_element<T>(op.value));
  });
  return {result};
}

Tensors compute(const Literal &op, const Operands &, const Types &types) {
  Tensor result(types[0]);
  visit_elements(result, [&]<class T>(std::span<T> elements) {
    std::transform(op.values.begin(), op.values.end(), elements.begin(), convert_element<T>);
  });
  return {result};
}

Tensors compute(const Random &op, const Operands &, const Types &types) {
  Tensor result(types[0]);
  std::span<float> elements = result.mutable_floats();
  auto seed = static_cast<uint64_t>(op.seed);
  switch (op.kind) {
  case RandomKind::he: {
    int64_t fan_in = result.shape().empty() ? 1 : result.count() / result.shape()[0];
    fill_random_he(elements, fan_in, seed);
    break;
  }
  case RandomKind::uniform:
    fill_uniform(elements, seed);
    break;
  }
  return {result};
}

} // namespace cnnc::reference
