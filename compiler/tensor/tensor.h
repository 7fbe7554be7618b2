// Tensors with their elements, as the reference interpreter and the constants of a model see them:
// logical and row-major, whatever layout the compiled code gives them.
#pragma once

#include "compiler/tensor/element.h"

#include <cassert>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace cnnc {

/// The C++ types that elements of a DType are read as. Booleans are bytes of 0 or 1.
template <class T> bool holds_elements_of(DType dtype) {
  return with_element(dtype, []<class Element>(Element) { return std::is_same_v<T, Element>; });
}

/// A dense row-major tensor of static shape. Copies share the elements, hence those are written
/// only before the tensor is copied.
class Tensor {
public:
  /// A scalar f32 zero.
  Tensor() : Tensor(TensorType{}) {}
  /// Zeros. The layout of the type is dropped, its batch must not be symbolic.
  explicit Tensor(TensorType type);
  /// Elements that belong to someone else and outlive the tensor. Never written. If they are not
  /// aligned for their type, only bytes() may read them.
  static Tensor view(TensorType type, std::span<const std::byte> elements);
  /// The same elements under a type of as many elements of the same DType.
  Tensor with_type(TensorType type) const;

  const TensorType &type() const { return type_; }
  const std::vector<int64_t> &shape() const { return type_.shape; }
  int64_t count() const { return count_; }

  std::span<const std::byte> bytes() const { return {bytes_, byte_count()}; }
  std::span<std::byte> mutable_bytes() {
    assert(storage_.use_count() == 1);
    return {storage_.get(), byte_count()};
  }

  template <class T> std::span<const T> elements() const {
    assert(holds_elements_of<T>(type_.dtype));
    return {reinterpret_cast<const T *>(bytes_), static_cast<size_t>(count_)};
  }
  template <class T> std::span<T> mutable_elements() {
    assert(holds_elements_of<T>(type_.dtype));
    return {reinterpret_cast<T *>(mutable_bytes().data()), static_cast<size_t>(count_)};
  }
  std::span<const float> floats() const { return elements<float>(); }
  std::span<float> mutable_floats() { return mutable_elements<float>(); }

private:
  Tensor(TensorType type, std::shared_ptr<std::byte[]> storage, const std::byte *bytes);
  size_t byte_count() const { return static_cast<size_t>(count_ * size_of(type_.dtype)); }

  TensorType type_;
  int64_t count_ = 0;
  std::shared_ptr<std::byte[]> storage_; // null for a view
  const std::byte *bytes_ = nullptr;
};

/// The type with `batch` for a symbolic batch.
TensorType with_batch(TensorType type, int64_t batch);

/// The same without its layout.
TensorType logical_type(TensorType type, int64_t batch);

/// Distance in elements between neighbours of each dimension in row-major order.
std::vector<int64_t> row_major_strides(const std::vector<int64_t> &shape);

} // namespace cnnc
