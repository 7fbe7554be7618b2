#include "compiler/quantize/quantize_filter.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

constexpr float largest_step = 127;

float scale_of(std::span<const float> channel) {
  float largest = 0;
  for (float weight : channel)
    largest = std::max(largest, std::abs(weight));
  return largest > 0 ? largest / largest_step : 1;
}

} // namespace

QuantizedFilter quantize_filter(const Tensor &filter) {
  const std::vector<int64_t> &shape = filter.shape();
  QuantizedFilter result{Tensor({DType::i8, shape, "", {}}),
                         Tensor({DType::f32, {shape[0]}, "", {}})};
  const auto channels = static_cast<size_t>(shape[0]);
  const size_t size = channels > 0 ? static_cast<size_t>(filter.count()) / channels : 0;
  std::span<int8_t> integers = result.integers.mutable_elements<int8_t>();
  std::span<float> scales = result.scales.mutable_floats();
  for (size_t channel = 0; channel < channels; ++channel) {
    const std::span<const float> weights = filter.floats().subspan(channel * size, size);
    scales[channel] = scale_of(weights);
    for (size_t i = 0; i < size; ++i)
      integers[channel * size + i] = static_cast<int8_t>(
          std::clamp(std::nearbyint(weights[i] / scales[channel]), -largest_step, largest_step));
  }
  return result;
}

} // namespace cnnc
