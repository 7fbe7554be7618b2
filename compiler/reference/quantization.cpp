#include "compiler/reference/compute.h"
#include "compiler/tensor/element.h"

#include <algorithm>
#include <cmath>

namespace cnnc::reference {

namespace {

/// The scale and the zero point of each element.
class Parameters {
public:
  template <class Op>
  Parameters(const Op &op, const Operands &operands)
      : scale_(static_cast<float>(op.scale)), zero_point_(op.zero_point) {
    const std::vector<int64_t> &shape = operands[0]->shape();
    if (operands.size() < 2)
      return;
    scales_ = operands[1];
    zero_points_ = operands.size() > 2 ? operands[2] : nullptr;
    const size_t axis = *normalized_axis(op.axis, shape.size());
    entries_ = shape[axis];
    for (size_t i = axis + 1; i < shape.size(); ++i)
      inner_ *= shape[i];
  }
  float scale(int64_t element) const {
    return scales_ ? scales_->floats()[entry(element)] : scale_;
  }
  int64_t zero_point(int64_t element) const {
    if (!zero_points_)
      return zero_point_;
    int64_t result = 0;
    with_element(zero_points_->type().dtype, [&]<class T>(T) {
      result = static_cast<int64_t>(zero_points_->elements<T>()[entry(element)]);
    });
    return result;
  }

private:
  size_t entry(int64_t element) const { return static_cast<size_t>(element / inner_ % entries_); }

  float scale_ = 1;
  int64_t zero_point_ = 0, inner_ = 1, entries_ = 1;
  const Tensor *scales_ = nullptr, *zero_points_ = nullptr;
};

} // namespace

Tensors compute(const Quantize &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const Parameters parameters(op, operands);
  const auto least = static_cast<double>(least_of(op.dtype()));
  const auto largest = static_cast<double>(largest_of(op.dtype()));
  std::span<const float> input = operands[0]->floats();
  with_element(op.dtype(), [&]<class T>(T) {
    std::span<T> output = result.mutable_elements<T>();
    for (int64_t i = 0; i < result.count(); ++i) {
      const float quotient = input[static_cast<size_t>(i)] / parameters.scale(i);
      const double steps = std::nearbyint(static_cast<double>(quotient)) +
                           static_cast<double>(parameters.zero_point(i));
      output[static_cast<size_t>(i)] =
          static_cast<T>(std::isnan(steps) ? least : std::clamp(steps, least, largest));
    }
  });
  return {result};
}

Tensors compute(const Dequantize &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const Parameters parameters(op, operands);
  std::span<float> output = result.mutable_floats();
  with_element(operands[0]->type().dtype, [&]<class T>(T) {
    std::span<const T> input = operands[0]->elements<T>();
    for (int64_t i = 0; i < result.count(); ++i) {
      const auto element = static_cast<int64_t>(input[static_cast<size_t>(i)]);
      // Modulo 2^32, as sums of i32 are; other types are far from that.
      const auto steps = static_cast<int32_t>(
          static_cast<uint32_t>(static_cast<uint64_t>(element - parameters.zero_point(i))));
      output[static_cast<size_t>(i)] = static_cast<float>(steps) * parameters.scale(i);
    }
  });
  return {result};
}

Tensors compute(const Lookup &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const auto input = operands[0]->bytes(), table = operands[1]->bytes();
  const auto output = result.mutable_bytes();
  for (size_t i = 0; i < input.size(); ++i)
    output[i] = table[std::to_integer<size_t>(input[i])];
  return {result};
}

} // namespace cnnc::reference
