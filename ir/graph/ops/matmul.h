// The product of matrices.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

/// NumPy's batched matrix product: a [..., i, k], b [..., k, j], both of rank 2 or more, of f32, or
/// of u8 or i8 with sums of i32. Result [..., i, j] = sum over k of a[..., i, k] * b[..., k, j]; the
/// dimensions in front broadcast. A symbolic batch is the first dimension of the result, never the
/// one that is summed over.
struct Matmul {
  static constexpr std::string_view name = "matmul";
  static constexpr std::string_view operands = "a, b";
  static constexpr std::string_view summary =
      "matrix product of [..., i, k] and [..., k, j], the dimensions in front broadcast";
  static constexpr OpTraits traits = {.category = Category::matrix_product, .parameters = {0, 2}};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
  static std::optional<int64_t> macs(const OperandTypes &, const TensorType &result);
};

} // namespace cnnc
