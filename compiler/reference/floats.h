// Elements of operands that may be integers of 8 bits or floats of 16.
#pragma once

#include "compiler/tensor/element.h"
#include "compiler/tensor/narrow.h"
#include "compiler/tensor/tensor.h"

#include <vector>

namespace cnnc::reference {

/// The elements of a tensor as f32, which has all numbers of 8 bits and floats of 16; those of an
/// f32 tensor, which has to outlive this, are not copied.
class Floats {
public:
  explicit Floats(const Tensor &tensor) {
    if (tensor.type().dtype == DType::f32) {
      elements_ = tensor.floats();
      return;
    }
    if (is_narrow(tensor.type().dtype)) {
      wide_ = widened(tensor);
      elements_ = wide_.floats();
      return;
    }
    with_element(tensor.type().dtype, [&]<class T>(T) {
      for (T element : tensor.elements<T>())
        copy_.push_back(static_cast<float>(element));
    });
    elements_ = copy_;
  }
  Floats(const Floats &) = delete;
  Floats &operator=(const Floats &) = delete;

  std::span<const float> all() const { return elements_; }
  float operator[](int64_t index) const { return elements_[static_cast<size_t>(index)]; }
  const float *at(int64_t index) const { return &elements_[static_cast<size_t>(index)]; }

private:
  std::vector<float> copy_;
  Tensor wide_;
  std::span<const float> elements_;
};

} // namespace cnnc::reference
