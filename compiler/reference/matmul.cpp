#include "compiler/reference/compute.h"
#include "compiler/reference/floats.h"
#include "compiler/tensor/index.h"

namespace cnnc::reference {

Tensors compute(const Matmul &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const size_t rank = types[0].rank();
  const std::vector<int64_t> &a_shape = operands[0]->shape(), &b_shape = operands[1]->shape();
  std::vector<int64_t> a_strides = broadcast_strides(a_shape, rank);
  std::vector<int64_t> b_strides = broadcast_strides(b_shape, rank);
  const int64_t length = a_shape.back();
  const int64_t a_step = 1, b_step = b_shape.back();
  a_strides[rank - 1] = 0; // columns of the result say nothing about a, rows nothing about b
  b_strides[rank - 2] = 0;
  const Floats a(*operands[0]), b(*operands[1]);
  const bool integers = types[0].dtype == DType::i32;
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t a_first = dot(index, a_strides), b_first = dot(index, b_strides);
    double sum = 0;
    for (int64_t k = 0; k < length; ++k)
      sum += static_cast<double>(a[a_first + k * a_step]) * b[b_first + k * b_step];
    const auto at = static_cast<size_t>(position);
    if (integers)
      result.mutable_elements<int32_t>()[at] =
          static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(sum)));
    else
      result.mutable_floats()[at] = static_cast<float>(sum);
  });
  return {result};
}

} // namespace cnnc::reference
