#include "compiler/reference/compute.h"
#include "compiler/tensor/index.h"
#include "compiler/tensor/narrow.h"

#include <algorithm>
#include <cstring>

namespace cnnc::reference {

namespace {

/// Copies one element: output[to] = input[from], whatever its type.
class ElementCopy {
public:
  ElementCopy(const Tensor &input, Tensor &output)
      : input_(input.bytes().data()), output_(output.mutable_bytes().data()),
        size_(static_cast<size_t>(size_of(input.type().dtype))) {}
  void operator()(int64_t from, int64_t to) const {
    std::memcpy(output_ + static_cast<size_t>(to) * size_,
                input_ + static_cast<size_t>(from) * size_, size_);
  }

private:
  const std::byte *input_;
  std::byte *output_;
  size_t size_;
};

/// Copies `part` to where it lies in `whole`, or with `out_of_whole` back: it starts at `start` of
/// `axis`.
void copy_part(const Tensor &input, Tensor &output, const std::vector<int64_t> &part, size_t axis,
               int64_t start, bool input_is_part) {
  ElementCopy copy(input, output);
  std::vector<int64_t> strides = row_major_strides(input_is_part ? output.shape() : input.shape());
  for_each_index(part, [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t in_whole = dot(index, strides) + start * strides[axis];
    input_is_part ? copy(position, in_whole) : copy(in_whole, position);
  });
}

/// The index of the input that `pad` repeats at `index` (relative to the input's start), or -1 for
/// the constant.
int64_t padded_index(PadMode mode, int64_t index, int64_t size) {
  if (index >= 0 && index < size)
    return index;
  switch (mode) {
  case PadMode::constant:
    return -1;
  case PadMode::reflect:
    return index < 0 ? -index : 2 * (size - 1) - index;
  case PadMode::edge:
    return std::clamp<int64_t>(index, 0, size - 1);
  case PadMode::wrap:
    return (index % size + size) % size;
  }
  return -1;
}

} // namespace

Tensors compute(const Concat &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  size_t axis = *normalized_axis(op.axis, types[0].rank());
  int64_t start = 0;
  for (const Tensor *operand : operands) {
    copy_part(*operand, result, operand->shape(), axis, start, true);
    start += operand->shape()[axis];
  }
  return {result};
}

Tensors compute(const Split &op, const Operands &operands, const Types &types) {
  Tensors results;
  size_t axis = *normalized_axis(op.axis, types[0].rank());
  int64_t start = 0;
  for (const TensorType &type : types) {
    Tensor result(type);
    copy_part(*operands[0], result, type.shape, axis, start, false);
    start += type.shape[axis];
    results.push_back(std::move(result));
  }
  return results;
}

Tensors compute(const Slice &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::vector<Slice::Range> ranges = op.ranges(operands[0]->shape());
  std::vector<int64_t> strides = row_major_strides(operands[0]->shape());
  ElementCopy copy(*operands[0], result);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t from = 0;
    for (size_t i = 0; i < index.size(); ++i)
      from += (ranges[i].start + index[i] * ranges[i].step) * strides[i];
    copy(from, position);
  });
  return {result};
}

Tensors compute(const Pad &op, const Operands &operands, const Types &types) {
  const Tensor &input = *operands[0];
  Tensor result(types[0]);
  Tensor value = compute(Splat{op.value}, {}, {{input.type().dtype, {}}}).front();
  ElementCopy copy_input(input, result), copy_value(value, result);
  std::vector<int64_t> strides = row_major_strides(input.shape());
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t from = 0;
    for (size_t i = 0; i < index.size(); ++i) {
      int64_t at = padded_index(op.mode, index[i] - op.before[i], input.shape()[i]);
      if (at < 0)
        return copy_value(0, position);
      from += at * strides[i];
    }
    copy_input(from, position);
  });
  return {result};
}

Tensors compute(const Transpose &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::vector<int64_t> input_strides = row_major_strides(operands[0]->shape()), strides;
  for (int64_t axis : op.permutation)
    strides.push_back(input_strides[*normalized_axis(axis, input_strides.size())]);
  ElementCopy copy(*operands[0], result);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    copy(dot(index, strides), position);
  });
  return {result};
}

Tensors compute(const DepthToSpace &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::vector<int64_t> strides = row_major_strides(operands[0]->shape());
  int64_t channels = result.shape()[1], rows = op.block[0], columns = op.block[1];
  ElementCopy copy(*operands[0], result);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t y = index[2] + op.crop[0], x = index[3] + op.crop[1];
    int64_t in_block = y % rows * columns + x % columns;
    int64_t channel = op.mode == DepthOrder::dcr ? in_block * channels + index[1]
                                                 : index[1] * rows * columns + in_block;
    copy(dot({index[0], channel, y / rows, x / columns}, strides), position);
  });
  return {result};
}

Tensors compute(const SpaceToDepth &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const std::vector<int64_t> &in = operands[0]->shape();
  std::vector<int64_t> strides = row_major_strides(in);
  ElementCopy copy(*operands[0], result);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t in_block = index[1] / in[1];
    copy(dot({index[0], index[1] % in[1], index[2] * op.block[0] + in_block / op.block[1],
              index[3] * op.block[1] + in_block % op.block[1]},
             strides),
         position);
  });
  return {result};
}

Tensors compute(const Reshape &, const Operands &operands, const Types &types) {
  return {operands[0]->with_type(types[0])};
}

Tensors compute(const Flatten &, const Operands &operands, const Types &types) {
  return {operands[0]->with_type(types[0])};
}

Tensors compute(const Relayout &, const Operands &operands, const Types &types) {
  if (types[0].dtype != operands[0]->type().dtype)
    return {narrowed(*operands[0], types[0].dtype)};
  return {operands[0]->with_type(types[0])};
}

Tensors compute(const Gather &op, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const Tensor &input = *operands[0], &indices = *operands[1];
  size_t axis = *normalized_axis(op.axis, input.shape().size()), count = indices.shape().size();
  int64_t size = input.shape()[axis];
  std::vector<int64_t> strides = row_major_strides(input.shape());
  std::vector<int64_t> index_strides = row_major_strides(indices.shape());
  ElementCopy copy(input, result);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    int64_t in_indices = 0, from = 0;
    for (size_t i = 0; i < count; ++i)
      in_indices += index[axis + i] * index_strides[i];
    int64_t taken = indices.type().dtype == DType::i32 ? indices.elements<int32_t>()[in_indices]
                                                       : indices.elements<int64_t>()[in_indices];
    taken = std::clamp<int64_t>(taken < 0 ? taken + size : taken, 0, size - 1);
    for (size_t i = 0; i < strides.size(); ++i)
      from += strides[i] * (i < axis ? index[i] : i == axis ? taken : index[i + count - 1]);
    copy(from, position);
  });
  return {result};
}

Tensors compute(const Expand &, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  std::vector<int64_t> strides = broadcast_strides(operands[0]->shape(), types[0].rank());
  ElementCopy copy(*operands[0], result);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    copy(dot(index, strides), position);
  });
  return {result};
}

} // namespace cnnc::reference
