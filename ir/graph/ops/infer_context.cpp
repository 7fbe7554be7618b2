#include "ir/graph/ops/infer_context.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

std::nullopt_t InferContext::error(std::string message) {
  diagnostics_.error(locations_.op ? *locations_.op : SourceRange(), std::move(message));
  return std::nullopt;
}

std::nullopt_t InferContext::error_at_operand(size_t index, std::string message) {
  if (index >= locations_.operands.size() || !locations_.operands[index].known())
    return error(std::move(message));
  diagnostics_.error(locations_.operands[index], std::move(message));
  return std::nullopt;
}

std::nullopt_t InferContext::error_at_attribute(std::string_view name, std::string message) {
  auto stated = std::find_if(locations_.attributes.begin(), locations_.attributes.end(),
                             [&](const auto &attribute) { return attribute.first == name; });
  if (stated == locations_.attributes.end() || !stated->second.known())
    return error(std::move(message));
  diagnostics_.error(stated->second, std::move(message));
  return std::nullopt;
}

bool InferContext::require_rank(size_t index, size_t rank, std::string_view meaning) {
  if (operand(index).rank() == rank)
    return true;
  error_at_operand(index, fmt::format("this must have {} dimensions, {}, but is {}", rank, meaning,
                                      to_string(operand(index))));
  return false;
}

bool InferContext::require_dtype(size_t index, DType dtype) {
  if (operand(index).dtype == dtype)
    return true;
  error_at_operand(index, fmt::format("this must be of type {}, but is {}", name_of(dtype),
                                      to_string(operand(index))));
  return false;
}

bool InferContext::require_f32() {
  bool ok = true;
  for (size_t i = 0; i < operands_.size(); ++i)
    ok = require_f32(i) && ok;
  return ok;
}

static std::optional<int64_t> limited(bool overflow, int64_t value) {
  constexpr int64_t limit = int64_t(1) << 62;
  return overflow || value > limit || value < -limit ? std::nullopt : std::optional(value);
}

std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = __builtin_mul_overflow(a, b, &result);
  return limited(overflow, result);
}

std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = __builtin_add_overflow(a, b, &result);
  return limited(overflow, result);
}

} // namespace cnnc
