#include "ir/graph/ops/window.h"

#include "ir/graph/ops/infer_context.h"

namespace cnnc {

std::optional<int64_t> Window::output() const {
  std::optional<int64_t> reach = checked_mul(dilation, kernel - 1);
  std::optional<int64_t> padded = checked_add(input, pad_before);
  padded = padded ? checked_add(*padded, pad_after) : std::nullopt;
  std::optional<int64_t> span = reach && padded ? checked_add(*padded, -*reach) : std::nullopt;
  span = span ? checked_add(*span, -1) : std::nullopt;
  if (span && ceil_mode)
    span = checked_add(*span, stride - 1);
  if (!span)
    return std::nullopt;
  int64_t quotient = *span / stride;
  if (*span % stride < 0) // division truncates towards zero
    --quotient;
  int64_t count = quotient + 1;
  if (ceil_mode && count > 1 && (count - 1) * stride >= input + pad_before)
    --count;
  return count;
}

} // namespace cnnc
