// Element-wise ops: one row of a table each (elementwise.cpp).
#pragma once

#include "ir/graph/attribute.h"
#include "ir/graph/infer_context.h"

#include <span>

namespace cnnc {

enum class UnaryKind {
  relu,
  leaky_relu,
  sigmoid,
  tanh,
  clip,
  hard_sigmoid,
  hard_swish,
  silu,
  elu,
  exp,
  sqrt,
  dropout // identity at inference
};

enum class BinaryKind { add, sub, mul, div, min, max, prelu };

/// A parameter of a unary op, such as the slope of leaky_relu.
struct UnaryParameter {
  std::string_view name;
  double default_value;
};

struct UnaryRow {
  UnaryKind kind;
  std::string_view name;
  std::string_view summary; // the formula
  std::vector<UnaryParameter> parameters;
};

struct BinaryRow {
  BinaryKind kind;
  std::string_view name;
  std::string_view summary;
};

const std::vector<UnaryRow> &unary_table();
const std::vector<BinaryRow> &binary_table();
const UnaryRow &row_of(UnaryKind kind);
const BinaryRow &row_of(BinaryKind kind);

/// One operand, same shape out. `parameters` in the order of the table's row.
struct Unary {
  UnaryKind kind = UnaryKind::relu;
  std::array<double, 2> parameters = {};
  InferredTypes infer(InferContext &) const;
};

/// Two operands with NumPy broadcasting.
struct Binary {
  BinaryKind kind = BinaryKind::add;
  InferredTypes infer(InferContext &) const;
};

/// NumPy broadcasting of two shapes; empty when they do not fit. A symbolic batch meets itself
/// or 1.
std::optional<std::vector<int64_t>> broadcast(const std::vector<int64_t> &a,
                                              const std::vector<int64_t> &b);

} // namespace cnnc
