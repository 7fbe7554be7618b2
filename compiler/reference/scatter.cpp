#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"

#include <algorithm>

namespace cnnc::reference {

Tensors compute(const ScatterAdd &op, const Operands &operands, const Types &types) {
  const Tensor &updates = *operands[0], &indices = *operands[1];
  Tensor result(types[0]);
  const size_t axis = *normalized_axis(op.axis, result.shape().size());
  const size_t count = indices.shape().size();
  const std::vector<int64_t> strides = row_major_strides(result.shape());
  const std::vector<int64_t> index_strides = row_major_strides(indices.shape());
  std::vector<double> sums(static_cast<size_t>(result.count()));
  for_each_index(updates.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t in_indices = 0, to = 0;
    for (size_t i = 0; i < count; ++i)
      in_indices += index[axis + i] * index_strides[i];
    int64_t taken = indices.type().dtype == DType::i32 ? indices.elements<int32_t>()[in_indices]
                                                       : indices.elements<int64_t>()[in_indices];
    taken = std::clamp<int64_t>(taken < 0 ? taken + op.size : taken, 0, op.size - 1);
    for (size_t i = 0; i < strides.size(); ++i)
      to += strides[i] * (i < axis ? index[i] : i == axis ? taken : index[i + count - 1]);
    sums[static_cast<size_t>(to)] += updates.floats()[position];
  });
  std::ranges::transform(sums, result.mutable_floats().begin(),
                         [](double sum) { return static_cast<float>(sum); });
  return {result};
}

} // namespace cnnc::reference
