// Values that are known when a model is imported: shapes and what is computed from them, axes,
// sizes, limits. They are computed here, and become constants of the graph only where an op needs
// them as a tensor.
#pragma once

#include "ir/type/type.h"
#include "ir/weights/safetensors.h"

#include <limits>
#include <variant>

namespace cnnc {

/// Stands among integers for the size of a batch that is not known yet: it may be copied and
/// compared, not computed with. Where a file has this number, it is read as the next larger one.
inline constexpr int64_t batch_marker = std::numeric_limits<int64_t>::min();

struct FixedTensor {
  DType dtype = DType::i64;
  std::vector<int64_t> shape;
  /// f32 has floats, every other type integers (bool: 0 and 1).
  std::variant<std::vector<int64_t>, std::vector<float>> elements;

  static FixedTensor integers(std::vector<int64_t> values); // i64, one dimension
  static FixedTensor scalar(int64_t value);                 // i64, no dimension

  bool is_float() const { return dtype == DType::f32; }
  size_t count() const;
  const std::vector<int64_t> &ints() const { return std::get<0>(elements); }
  const std::vector<float> &floats() const { return std::get<1>(elements); }
  std::vector<int64_t> &ints() { return std::get<0>(elements); }
  std::vector<float> &floats() { return std::get<1>(elements); }
  /// An element of either kind.
  double number(size_t index) const;
  bool has_marker() const;
};

/// What the elements of a tensor are in the graph, f32 for every floating type.
FixedTensor decode(const SafetensorsTensor &tensor, DType dtype);

/// The number with the fewest digits that rounds to this float.
double shortest_double(float value);

} // namespace cnnc
