#include "compiler/reference/compute.h"
#include "compiler/tensor/element.h"

#include <cmath>
#include <limits>

namespace cnnc::reference {

namespace {

template <class To, class From> To saturated(From value) {
  using Limits = std::numeric_limits<To>;
  if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    const auto x = static_cast<double>(value);
    if (std::isnan(x))
      return 0;
    if (x >= static_cast<double>(Limits::max())) // of i64 that is 2^63, which does not fit
      return Limits::max();
    return x <= static_cast<double>(Limits::min()) ? Limits::min() : static_cast<To>(x);
  } else {
    const auto x = static_cast<int64_t>(value);
    return x > static_cast<int64_t>(Limits::max())   ? Limits::max()
           : x < static_cast<int64_t>(Limits::min()) ? Limits::min()
                                                     : static_cast<To>(x);
  }
}

} // namespace

Tensors compute(const Cast &cast, const Operands &operands, const Types &types) {
  Tensor result(types[0]);
  const DType to = cast.dtype(), from = operands[0]->type().dtype;
  with_element(from, [&]<class From>(From) {
    with_element(to, [&]<class To>(To) {
      std::span<const From> input = operands[0]->elements<From>();
      std::span<To> output = result.mutable_elements<To>();
      for (size_t i = 0; i < input.size(); ++i) {
        if (to == DType::boolean)
          output[i] = static_cast<To>(input[i] != From(0));
        else if (from == DType::boolean)
          output[i] = static_cast<To>(input[i] != From(0));
        else
          output[i] = saturated<To>(input[i]);
      }
    });
  });
  return {result};
}

} // namespace cnnc::reference
