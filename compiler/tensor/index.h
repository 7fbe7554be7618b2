// Walking over the elements of a tensor by their indices.
#pragma once

#include "compiler/tensor/tensor.h"

#include <cstdint>
#include <numeric>
#include <vector>

namespace cnnc::reference {

inline int64_t dot(const std::vector<int64_t> &index, const std::vector<int64_t> &strides) {
  return std::inner_product(index.begin(), index.end(), strides.begin(), int64_t(0));
}

/// Strides with which an operand is read along the dimensions of the result: 0 where it is
/// repeated.
inline std::vector<int64_t> broadcast_strides(const std::vector<int64_t> &operand,
                                              size_t result_rank) {
  std::vector<int64_t> strides = row_major_strides(operand);
  for (size_t i = 0; i < operand.size(); ++i)
    if (operand[i] == 1)
      strides[i] = 0;
  strides.insert(strides.begin(), result_rank - operand.size(), 0);
  return strides;
}

/// Calls function(index, position) for every index of a shape, in row-major order; position counts
/// them.
template <class Function>
void for_each_index(const std::vector<int64_t> &shape, Function function) {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  std::vector<int64_t> index(shape.size(), 0);
  for (int64_t position = 0; position < count; ++position) {
    function(index, position);
    for (size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i])
        break;
      index[i] = 0;
    }
  }
}

} // namespace cnnc::reference
