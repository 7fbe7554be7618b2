#include "compiler/tensor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace cnnc {

Tensor::Tensor(TensorType type, std::shared_ptr<std::byte[]> storage, const std::byte *bytes)
    : type_(std::move(type)), storage_(std::move(storage)), bytes_(bytes) {
  assert(!type_.has_symbolic_batch());
  std::optional<int64_t> count = element_count(type_.shape);
  assert(count && "infer() rejects such sizes");
  count_ = *count;
  type_.layout = {};
  type_.batch_name.clear();
}

Tensor::Tensor(TensorType type) : Tensor(std::move(type), nullptr, nullptr) {
  // calloc gives large tensors fresh pages of the system, which are zero without being touched.
  auto *bytes = static_cast<std::byte *>(std::calloc(std::max<size_t>(byte_count(), 1), 1));
  if (!bytes)
    throw std::bad_alloc();
  storage_ = std::shared_ptr<std::byte[]>(bytes, [](std::byte *memory) { std::free(memory); });
  bytes_ = storage_.get();
}

Tensor Tensor::view(TensorType type, std::span<const std::byte> elements) {
  Tensor result(std::move(type), nullptr, elements.data());
  assert(elements.size() == result.byte_count());
  return result;
}

Tensor Tensor::with_type(TensorType type) const {
  Tensor result(std::move(type), storage_, bytes_);
  assert(result.type_.dtype == type_.dtype && result.count_ == count_);
  return result;
}

TensorType with_batch(TensorType type, int64_t batch) {
  if (type.has_symbolic_batch())
    type.shape[0] = batch;
  type.batch_name.clear();
  return type;
}

TensorType logical_type(TensorType type, int64_t batch) {
  type.layout = {};
  return with_batch(std::move(type), batch);
}

std::vector<int64_t> row_major_strides(const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

} // namespace cnnc
