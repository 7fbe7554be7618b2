#include "compiler/api/interpret_call.h"

#include "compiler/layout/tensor_layout.h"
#include "compiler/reference/run_loops.h"
#include "compiler/tensor/element.h"
#include "compiler/tensor/narrow.h"

#include <cstring>

namespace cnnc {

namespace {

std::vector<double> as_numbers(const std::vector<std::byte> &memory, DType dtype) {
  std::vector<double> numbers;
  if (is_narrow(dtype)) {
    const int64_t count = static_cast<int64_t>(memory.size()) / size_of(dtype);
    const Tensor wide = widened(Tensor::view({dtype, {count}, "", {}}, memory));
    return {wide.floats().begin(), wide.floats().end()};
  }
  with_element(dtype, [&](auto element) {
    numbers.resize(memory.size() / sizeof element);
    for (size_t i = 0; i < numbers.size(); ++i) {
      std::memcpy(&element, memory.data() + i * sizeof element, sizeof element);
      numbers[i] = static_cast<double>(element);
    }
  });
  return numbers;
}

/// Of results, which are not of 16 bits.
std::vector<std::byte> as_bytes(const std::vector<double> &numbers, DType dtype) {
  std::vector<std::byte> memory;
  with_element(dtype, [&](auto element) {
    memory.resize(numbers.size() * sizeof element);
    for (size_t i = 0; i < numbers.size(); ++i) {
      element = static_cast<decltype(element)>(numbers[i]);
      std::memcpy(memory.data() + i * sizeof element, &element, sizeof element);
    }
  });
  return memory;
}

} // namespace

std::optional<std::vector<Tensor>> interpret_call(const Graph &graph, const Node &call,
                                                  const loop::Kernel &kernel,
                                                  const std::vector<Tensor> &operands,
                                                  Diagnostics &diagnostics) {
  loop::Buffers buffers;
  for (size_t i = 0; i < operands.size(); ++i) {
    TensorType type = one_image(graph.type(call.operands[i]));
    std::vector<std::byte> memory(static_cast<size_t>(byte_size(type).value_or(0)));
    write_physical(operands[i], type, memory);
    buffers[kernel.inputs[i].name] = as_numbers(memory, type.dtype);
  }
  std::string error;
  if (!run_loops(kernel, buffers, error)) {
    diagnostics.error(call.range, error);
    return std::nullopt;
  }
  std::vector<Tensor> results;
  for (size_t i = 0; i < call.results.size(); ++i) {
    TensorType type = one_image(graph.type(call.results[i]));
    results.push_back(
        read_physical(as_bytes(buffers.at(kernel.outputs[i].name), type.dtype), type));
  }
  return results;
}

} // namespace cnnc
