#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"

#include <algorithm>

namespace cnnc::reference {

namespace {

/// Elements that follow each other in the result, and where their operands are.
struct Row {
  int64_t position, count;
  int64_t a, a_stride, b, b_stride;
};

/// Calls function(row) for rows as long as the strides allow, in the order of the result.
template <class Function>
void for_each_row(std::vector<int64_t> shape, std::vector<int64_t> a_strides,
                  std::vector<int64_t> b_strides, Function function) {
  Row row = {0, 1, 0, 0, 0, 0};
  // Dimensions whose steps continue those of the row for both operands become part of it.
  while (!shape.empty() && (row.count == 1 || (a_strides.back() == row.count * row.a_stride &&
                                               b_strides.back() == row.count * row.b_stride))) {
    if (row.count == 1) {
      row.a_stride = a_strides.back();
      row.b_stride = b_strides.back();
    }
    row.count *= shape.back();
    for (std::vector<int64_t> *list : {&shape, &a_strides, &b_strides})
      list->pop_back();
  }
  reference::for_each_index(shape, [&](const std::vector<int64_t> &index, int64_t position) {
    row.position = position * row.count;
    row.a = dot(index, a_strides);
    row.b = dot(index, b_strides);
    function(row);
  });
}

} // namespace

Tensors compute(const Unary &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  if (op.row->dtype == DType::boolean) {
    std::span<const uint8_t> flags = operands[0]->elements<uint8_t>();
    std::transform(
        flags.begin(), flags.end(), result.mutable_elements<uint8_t>().begin(),
        [&](uint8_t x) { return static_cast<uint8_t>(op.row->reference(x, op.parameters)); });
    return {result};
  }
  std::span<const float> input = operands[0]->floats();
  std::transform(input.begin(), input.end(), result.mutable_floats().begin(),
                 [&](float x) { return static_cast<float>(op.row->reference(x, op.parameters)); });
  return {result};
}

namespace {

/// result[i] = function(a[i], b[i]) for elements of A, and results of R.
template <class A, class R, class Function>
void walk(Tensor &result, const Operands &operands, Function function) {
  size_t rank = result.shape().size();
  std::vector<int64_t> a_strides = broadcast_strides(operands[0]->shape(), rank);
  std::vector<int64_t> b_strides = broadcast_strides(operands[1]->shape(), rank);
  std::span<const A> a = operands[0]->elements<A>(), b = operands[1]->elements<A>();
  std::span<R> output = result.mutable_elements<R>();
  for_each_row(result.shape(), a_strides, b_strides, [&](const Row &row) {
    for (int64_t i = 0; i < row.count; ++i)
      output[row.position + i] = static_cast<R>(
          function(double(a[row.a + i * row.a_stride]), double(b[row.b + i * row.b_stride])));
  });
}

} // namespace

Tensors compute(const Binary &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  auto function = op.row->reference;
  if (op.row->operands == DType::boolean)
    walk<uint8_t, uint8_t>(result, operands, function);
  else if (op.row->result == DType::boolean)
    walk<float, uint8_t>(result, operands, function);
  else if (op.row == binary::mul) // folded batch norms scale filters with it, which are large
    walk<float, float>(result, operands, [](double x, double y) { return x * y; });
  else
    walk<float, float>(result, operands, function);
  return {result};
}

Tensors compute(const Where &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::vector<std::vector<int64_t>> strides;
  for (const Tensor *operand : operands)
    strides.push_back(broadcast_strides(operand->shape(), result.shape().size()));
  std::span<float> output = result.mutable_floats();
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    bool condition = operands[0]->elements<uint8_t>()[dot(index, strides[0])] != 0;
    size_t taken = condition ? 1 : 2;
    output[position] = operands[taken]->floats()[dot(index, strides[taken])];
  });
  return {result};
}

} // namespace cnnc::reference
