#include "ir/graph/ops/matmul.h"

#include "ir/graph/ops/checks.h"
#include "ir/graph/ops/elementwise.h"

#include <fmt/format.h>

namespace cnnc {

InferredTypes Matmul::infer(InferContext &context) const {
  const bool integers = holds_bytes(context.operand(0));
  if (integers && !holds_bytes(context.operand(1)))
    return context.error_at_operand(1, fmt::format("this must be of type u8 or i8, as the other "
                                                   "matrix, but is {}",
                                                   to_string(context.operand(1))));
  if (!integers && !require_f32_products(context))
    return std::nullopt;
  for (size_t i = 0; i < 2; ++i)
    if (context.operand(i).rank() < 2)
      return context.error_at_operand(
          i, fmt::format("a matrix must have at least 2 dimensions, but this is {}",
                         to_string(context.operand(i))));
  const TensorType &a = context.operand(0), &b = context.operand(1);
  if (b.rank() == 2 && b.has_symbolic_batch())
    return context.error_at_operand(
        1, fmt::format("dimension 0 of {} is the symbolic batch, which cannot be summed over",
                       to_string(b)));
  int64_t length = a.shape[a.rank() - 1], other = b.shape[b.rank() - 2];
  if (length != other)
    return context.error_at_operand(
        1, fmt::format("the rows of {} have {} elements, but the columns of {} have {}",
                       to_string(a), length, to_string(b), other));
  std::optional<std::vector<int64_t>> shape =
      broadcast({a.shape.begin(), a.shape.end() - 2}, {b.shape.begin(), b.shape.end() - 2});
  // Rows that are a symbolic batch can only be the first dimension.
  if (!shape || (a.rank() == 2 && a.has_symbolic_batch() && b.rank() > 2))
    return context.error_at_operand(
        1, fmt::format("the dimensions in front of the matrices {} and {} do not broadcast",
                       to_string(a), to_string(b)));
  shape->push_back(a.shape[a.rank() - 2]);
  shape->push_back(b.shape[b.rank() - 1]);
  TensorType like = a.has_symbolic_batch() ? a : b;
  like.dtype = integers ? DType::i32 : DType::f32;
  return one_result(context, like, std::move(*shape));
}

std::optional<int64_t> Matmul::macs(const OperandTypes &types, const TensorType &result) {
  std::vector<int64_t> loops = result.shape;
  loops.push_back(types[0]->shape.back());
  return element_count(loops);
}

} // namespace cnnc
