#include "compiler/onnx/import/known_values.h"

#include "compiler/tensor/element.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

namespace cnnc {

FixedTensor FixedTensor::integers(std::vector<int64_t> values) {
  auto count = static_cast<int64_t>(values.size());
  return {DType::i64, {count}, std::move(values)};
}

FixedTensor FixedTensor::scalar(int64_t value) {
  return {DType::i64, {}, std::vector<int64_t>{value}};
}

size_t FixedTensor::count() const {
  return std::visit([](const auto &list) { return list.size(); }, elements);
}

double FixedTensor::number(size_t index) const {
  return std::visit([&](const auto &list) { return static_cast<double>(list[index]); }, elements);
}

bool FixedTensor::has_marker() const {
  return !is_float() && std::find(ints().begin(), ints().end(), batch_marker) != ints().end();
}

namespace {

template <class T> std::vector<int64_t> widened(const SafetensorsTensor &tensor) {
  std::vector<int64_t> result(tensor.data.size() / sizeof(T));
  for (size_t i = 0; i < result.size(); ++i) {
    T element;
    std::memcpy(&element, tensor.data.data() + i * sizeof(T), sizeof(T));
    result[i] = element;
  }
  return result;
}

} // namespace

FixedTensor decode(const SafetensorsTensor &tensor, DType dtype) {
  FixedTensor result{dtype, tensor.shape, {}};
  if (is_float(dtype)) {
    std::vector<float> floats(tensor.data.size() / *safetensors_dtype_size(tensor.dtype));
    [[maybe_unused]] bool converted = convert_to_f32(tensor, floats);
    assert(converted && "the type is one of floats");
    result.elements = std::move(floats);
    return result;
  }
  with_element(dtype, [&]<class T>(T) {
    if constexpr (!std::is_floating_point_v<T>)
      result.elements = widened<T>(tensor);
  });
  if (dtype == DType::boolean)
    for (int64_t &element : result.ints())
      element = element != 0;
  if (dtype == DType::i64) // Files that say "as far as possible" mean no batch.
    std::ranges::replace(result.ints(), batch_marker, batch_marker + 1);
  return result;
}

double shortest_double(float value) {
  double result = std::strtod(fmt::format("{}", value).c_str(), nullptr);
  return static_cast<float>(result) == value ? result : value;
}

} // namespace cnnc
