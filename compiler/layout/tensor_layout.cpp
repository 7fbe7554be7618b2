#include "compiler/layout/tensor_layout.h"
#include "compiler/tensor/index.h"
#include "compiler/tensor/winograd.h"

#include <algorithm>
#include <cstring>

namespace cnnc {

namespace {

/// A dimension in memory: a step along it is `scale` steps along the logical dimension `axis`.
struct PhysicalDim {
  size_t axis;
  int64_t scale;
};

/// Of the logical dimensions in order, then of the blocks: a block's steps are as large as all
/// later blocks of its axis together.
std::vector<PhysicalDim> physical_dims(const TensorType &type) {
  std::vector<PhysicalDim> dims(type.rank() + type.layout.blocks.size());
  std::vector<int64_t> scale(type.rank(), 1);
  for (size_t i = type.layout.blocks.size(); i-- > 0;) {
    const Block &block = type.layout.blocks[i];
    auto axis = static_cast<size_t>(block.axis);
    dims[type.rank() + i] = {axis, scale[axis]};
    scale[axis] *= block.size;
  }
  for (size_t axis = 0; axis < type.rank(); ++axis)
    dims[axis] = {axis, scale[axis]};
  return dims;
}

/// Consecutive elements in memory along the innermost physical dimension: `begin` to `end` of
/// `size` hold logical elements, which are `stride` apart; the others are padding.
struct Run {
  int64_t physical; // position of the run in memory
  int64_t logical;  // position of element `begin` in the tensor
  int64_t size, begin, end, stride;
};

/// Calls function(run) for all of the memory, in its order. In this order the innermost block is
/// contiguous in memory and reads of the tensor come back to the same few cache lines.
template <class Function> void for_each_run(const TensorType &type, Function function) {
  std::vector<int64_t> shape = physical_shape(type), strides = row_major_strides(type.shape);
  std::vector<PhysicalDim> dims = physical_dims(type);
  std::vector<int64_t> origin(type.rank(), 0); // logical index of the first element in memory
  if (type.rank() >= 2) {
    origin[type.rank() - 2] = -type.layout.halo[0];
    origin[type.rank() - 1] = -type.layout.halo[1];
  }
  int64_t size = shape.back();
  size_t inner = dims.back().axis;
  shape.pop_back();
  std::vector<int64_t> logical(type.rank());
  reference::for_each_index(shape, [&](const std::vector<int64_t> &index, int64_t position) {
    logical = origin;
    for (size_t i = 0; i < index.size(); ++i)
      logical[dims[i].axis] += index[i] * dims[i].scale;
    Run run{position * size, 0, size, 0, size, strides[inner]};
    run.begin = std::clamp<int64_t>(-logical[inner], 0, size);
    run.end = std::clamp<int64_t>(type.shape[inner] - logical[inner], run.begin, size);
    logical[inner] += run.begin;
    for (size_t axis = 0; axis < type.rank(); ++axis) {
      if (axis != inner && (logical[axis] < 0 || logical[axis] >= type.shape[axis]))
        run.end = run.begin;
      run.logical += logical[axis] * strides[axis];
    }
    function(run);
  });
}

/// Copies `count` elements of `Size` bytes.
template <size_t Size>
void copy_strided(const std::byte *input, int64_t input_stride, std::byte *output,
                  int64_t output_stride, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(output + i * output_stride * static_cast<int64_t>(Size),
                input + i * input_stride * static_cast<int64_t>(Size), Size);
}

template <size_t Size>
void write_runs(const Tensor &tensor, const TensorType &type, std::byte *memory) {
  const std::byte *elements = tensor.bytes().data();
  constexpr auto size = static_cast<int64_t>(Size);
  // Other than 0 of integers of at most 16 bits alone.
  const int64_t filling = type.layout.halo_value;
  auto fill = [&](std::byte *output, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(output + i * size, &filling, Size); // of a little endian machine
  };
  for_each_run(type, [&](const Run &run) {
    std::byte *output = memory + run.physical * size;
    if (run.begin > 0)
      fill(output, run.begin);
    if (run.begin < run.end)
      copy_strided<Size>(elements + run.logical * size, run.stride, output + run.begin * size, 1,
                         run.end - run.begin);
    if (run.end < run.size)
      fill(output + run.end * size, run.size - run.end);
  });
}

template <size_t Size>
void read_runs(const std::byte *memory, const TensorType &type, Tensor &tensor) {
  std::byte *elements = tensor.mutable_bytes().data();
  constexpr auto size = static_cast<int64_t>(Size);
  for_each_run(type, [&](const Run &run) {
    if (run.begin < run.end)
      copy_strided<Size>(memory + (run.physical + run.begin) * size, 1,
                         elements + run.logical * size, run.stride, run.end - run.begin);
  });
}

/// The type of the elements that stand in memory in a layout of Winograd's.
TensorType transformed_type(TensorType type) {
  for (size_t axis : {type.rank() - 2, type.rank() - 1})
    type.shape[axis] += type.layout.winograd - 1;
  type.layout.winograd = 0;
  return type;
}

} // namespace

TensorType one_image(TensorType type) {
  if (type.has_symbolic_batch())
    type.shape[0] = 1;
  return type;
}

void write_physical(const Tensor &tensor, const TensorType &type, std::span<std::byte> memory) {
  assert(static_cast<int64_t>(memory.size()) == byte_size(type));
  if (type.layout.winograd > 0) {
    const bool taps = same_logical_type(tensor.type(), type);
    return write_physical(taps ? winograd_filter(tensor, type.layout.winograd) : tensor,
                          transformed_type(type), memory);
  }
  assert(same_logical_type(tensor.type(), type));
  if (type.layout.plain())
    std::copy(tensor.bytes().begin(), tensor.bytes().end(), memory.begin());
  else if (size_of(type.dtype) == 1)
    write_runs<1>(tensor, type, memory.data());
  else if (size_of(type.dtype) == 2)
    write_runs<2>(tensor, type, memory.data());
  else if (size_of(type.dtype) == 4)
    write_runs<4>(tensor, type, memory.data());
  else
    write_runs<8>(tensor, type, memory.data());
}

Tensor read_physical(std::span<const std::byte> memory, const TensorType &type) {
  if (type.layout.winograd > 0)
    return read_physical(memory, transformed_type(type));
  assert(static_cast<int64_t>(memory.size()) == byte_size(type));
  Tensor tensor(type);
  if (type.layout.plain())
    std::copy(memory.begin(), memory.end(), tensor.mutable_bytes().begin());
  else if (size_of(type.dtype) == 1)
    read_runs<1>(memory.data(), type, tensor);
  else if (size_of(type.dtype) == 2)
    read_runs<2>(memory.data(), type, tensor);
  else if (size_of(type.dtype) == 4)
    read_runs<4>(memory.data(), type, tensor);
  else
    read_runs<8>(memory.data(), type, tensor);
  return tensor;
}

} // namespace cnnc
