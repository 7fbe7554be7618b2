// Element-wise ops: one row of a table each (elementwise.cpp).
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

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
  dropout, // identity at inference
  abs,
  neg,
  floor,
  ceil,
  round,
  sign,
  log,
  erf,
  reciprocal,
  softplus,
  softsign,
  selu,
  celu,
  gelu,
  gelu_tanh,
  mish,
  thresholded_relu,
  logical_not
};

enum class BinaryKind {
  add,
  sub,
  mul,
  div,
  min,
  max,
  prelu,
  pow,
  equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  logical_and,
  logical_or,
  logical_xor
};

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
  DType dtype = DType::f32; // of operand and result
};

struct BinaryRow {
  BinaryKind kind;
  std::string_view name;
  std::string_view summary;
  DType operands = DType::f32;
  DType result = DType::f32;
};

const std::vector<UnaryRow> &unary_table();
const std::vector<BinaryRow> &binary_table();
const UnaryRow &row_of(UnaryKind kind);
const BinaryRow &row_of(BinaryKind kind);

/// One operand, same shape out. `parameters` in the order of the table's row.
struct Unary {
  static constexpr OpTraits traits = {.category = Category::elementwise, .takes_empty = true};
  UnaryKind kind = UnaryKind::relu;
  std::array<double, 2> parameters = {};
  InferredTypes infer(InferContext &) const;
};

/// Two operands with NumPy broadcasting.
struct Binary {
  static constexpr OpTraits traits = {.category = Category::elementwise,
                                      .broadcasts = true,
                                      .takes_empty = true,
                                      .parameters = {0, 2}};
  BinaryKind kind = BinaryKind::add;
  InferredTypes infer(InferContext &) const;
};

/// condition ? a : b, all three with NumPy broadcasting. The condition is bool, the others f32.
struct Where {
  static constexpr std::string_view name = "where";
  static constexpr std::string_view operands = "condition, a, b";
  static constexpr std::string_view summary = "condition ? a : b, with broadcasting";
  static constexpr OpTraits traits = {.category = Category::elementwise,
                                      .broadcasts = true,
                                      .takes_empty = true,
                                      .parameters = {1, 3}};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
};

enum class CastType { f32, i32, i64, u8, boolean };
template <> struct Words<CastType> {
  static constexpr std::array<std::string_view, 5> words = {"f32", "i32", "i64", "u8", "bool"};
};

/// The same numbers in another element type. Floats become integers towards zero; what is out of
/// range becomes the nearest integer of the type, NaN 0 (ONNX leaves both open). To bool: all but 0
/// is true, NaN too. Integers beyond 2^24 may be rounded.
struct Cast {
  static constexpr std::string_view name = "cast";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "another element type: towards zero and saturating, to bool x != 0";
  static constexpr OpTraits traits = {.category = Category::elementwise, .takes_empty = true};
  CastType to = CastType::f32;
  static constexpr auto attributes() { return std::tuple{Attribute{"to", &Cast::to, true}}; }
  DType dtype() const;
  InferredTypes infer(InferContext &) const;
};

/// NumPy broadcasting of two shapes; empty when they do not fit. A symbolic batch meets itself
/// or 1.
std::optional<std::vector<int64_t>> broadcast(const std::vector<int64_t> &a,
                                              const std::vector<int64_t> &b);

} // namespace cnnc
