#include "compiler/report/cut.h"

#include <algorithm>

namespace cnnc::report {

Tensor cut_channels(const Tensor &tensor, const std::vector<int64_t> &channels,
                    const std::array<int64_t, 2> &sides) {
  const int64_t height = tensor.shape()[2], width = tensor.shape()[3];
  Tensor result({DType::f32, {1, std::ssize(channels), sides[0], sides[1]}, "", {}});
  auto to = result.mutable_floats().begin();
  for (int64_t channel : channels)
    for (int64_t row = 0; row < sides[0]; ++row)
      to = std::ranges::copy(
               tensor.floats().subspan(static_cast<size_t>((channel * height + row) * width),
                                       static_cast<size_t>(sides[1])),
               to)
               .out;
  return result;
}

Tensor cut_filter(const Tensor &filter, int64_t channel, int64_t first, int64_t end) {
  const std::vector<int64_t> &shape = filter.shape();
  const int64_t window = shape[2] * shape[3];
  Tensor result({DType::f32, {1, end - first, shape[2], shape[3]}, "", {}});
  std::ranges::copy(
      filter.floats().subspan(static_cast<size_t>((channel * shape[1] + first) * window),
                              static_cast<size_t>((end - first) * window)),
      result.mutable_floats().begin());
  return result;
}

Tensor cut_vector(const Tensor &vector, const std::vector<int64_t> &elements) {
  Tensor result({DType::f32, {std::ssize(elements)}, "", {}});
  std::ranges::transform(elements, result.mutable_floats().begin(), [&](int64_t element) {
    return vector.floats()[static_cast<size_t>(element)];
  });
  return result;
}

} // namespace cnnc::report
