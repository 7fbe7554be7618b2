// Element-wise ops. Those of one and two operands are a row of a table each
// (elementwise_table.cpp): all that any part of the compiler knows of them.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

#include <span>

namespace cnnc {

namespace loop {
struct Expression;
} // namespace loop

/// The op of ONNX that means the same, and the first opset that has it. No name: there is none, and
/// import and export spell the op out.
struct OnnxName {
  std::string_view op;
  int since = 1;
};

/// A parameter of a unary op, such as the slope of leaky_relu.
struct UnaryParameter {
  std::string_view name;
  double default_value = 0;
  std::string_view onnx = {}; // the name of the attribute in ONNX, when it is another

  std::string_view onnx_name() const { return onnx.empty() ? name : onnx; }
};

/// In the order of the row; 0 for those that it does not have.
using UnaryParameters = std::array<double, 2>;

class Term; // ir/graph/gradients/term.h

struct UnaryRow {
  std::string_view name;
  std::string_view formula; // for the documentation
  std::array<UnaryParameter, 2> parameters = {};
  bool (*check)(InferContext &, const UnaryParameters &) = nullptr; // reports and gives false
  double (*reference)(double x, const UnaryParameters &);
  loop::Expression (*lower)(const loop::Expression &x, const UnaryParameters &);
  /// The gradient of x, where y is the result and dy its gradient. `no_gradient` where it is 0
  /// wherever it exists.
  Term (*gradient)(const Term &x, const Term &y, const Term &dy, const UnaryParameters &);
  OnnxName onnx = {};
  /// Results are finite where the operand is. Others are not for the padding of blocked channels,
  /// which must stay finite, since it is multiplied by zeros.
  bool finite = true;
  DType dtype = DType::f32; // of operand and result

  size_t parameter_count() const;
};

struct BinaryRow {
  std::string_view name;
  std::string_view formula;
  double (*reference)(double a, double b);
  loop::Expression (*lower)(const loop::Expression &a, const loop::Expression &b);
  /// The gradients of a and of b, of the shape of the result y, whose gradient is dy. Null where
  /// they are 0 wherever they exist.
  Term (*gradient_a)(const Term &a, const Term &b, const Term &y, const Term &dy) = nullptr;
  Term (*gradient_b)(const Term &a, const Term &b, const Term &y, const Term &dy) = nullptr;
  OnnxName onnx = {};
  bool finite = true; // as above, where neither operand is huge
  DType operands = DType::f32;
  DType result = DType::f32;
  bool keeps_shape_of_a = false; // only b is broadcast
};

std::span<const UnaryRow> unary_table();
std::span<const BinaryRow> binary_table();

// The rows that some pass means. All others are known by their properties alone.
using UnaryOp = const UnaryRow *const;
using BinaryOp = const BinaryRow *const;
namespace unary {
extern UnaryOp relu, sigmoid, tanh, clip, hard_sigmoid, hard_swish, silu, exp, sqrt, dropout, neg,
    sin, cos, sign, abs, log, erf, softplus, gelu, gelu_tanh, mish;
} // namespace unary
namespace binary {
extern BinaryOp add, sub, mul, div, pow, equal, less, logical_and;
} // namespace binary

/// One operand, same shape out.
struct Unary {
  static constexpr OpTraits traits = {.category = Category::elementwise, .takes_empty = true};
  const UnaryRow *row = unary::relu;
  UnaryParameters parameters = {};
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Two operands with NumPy broadcasting.
struct Binary {
  static constexpr OpTraits traits = {.category = Category::elementwise,
                                      .broadcasts = true,
                                      .takes_empty = true,
                                      .parameters = {0, 2}};
  const BinaryRow *row = binary::add;
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
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
  void differentiate(Backward &) const;
};

enum class CastType { f32, i32, i64, u8, boolean, i8, i16 };
template <> struct Words<CastType> {
  static constexpr std::array<std::string_view, 7> words = {"f32",  "i32", "i64", "u8",
                                                            "bool", "i8",  "i16"};
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
  void differentiate(Backward &) const;
};

/// NumPy broadcasting of two shapes; empty when they do not fit. A symbolic batch meets itself
/// or 1.
std::optional<std::vector<int64_t>> broadcast(const std::vector<int64_t> &a,
                                              const std::vector<int64_t> &b);

} // namespace cnnc
