// THE list of ops, and what the parser, the printer and the documentation know about each.
//
// To add one: a struct in ops/ and its name in `AnyOp` below. The build then names each further place
// (ir/README.md, "An op more"). An element-wise op is one more row in ops/elementwise_table.cpp
// instead.
#pragma once

#include "ir/graph/ops/constants.h"
#include "ir/graph/ops/convolution.h"
#include "ir/graph/ops/elementwise.h"
#include "ir/graph/ops/internal.h"
#include "ir/graph/ops/matmul.h"
#include "ir/graph/ops/normalization.h"
#include "ir/graph/ops/pool.h"
#include "ir/graph/ops/quantization.h"
#include "ir/graph/ops/reduction.h"
#include "ir/graph/ops/resize.h"
#include "ir/graph/ops/shape.h"
#include "ir/graph/ops/training.h"

#include <variant>

namespace cnnc {

using AnyOp = std::variant<Weight, Splat, Literal, Random,                                 //
                           Conv2d, ConvTranspose2d, Local2d, Dense, Matmul,                //
                           MaxPool2d, AvgPool2d, GlobalAvgPool2d,                          //
                           MaxPool2dIndices, MaxUnpool2d,                                  //
                           Unary, Binary, Where, Cast, Quantize, Dequantize, Lookup,       //
                           BatchNorm, LayerNorm, InstanceNorm, GroupNorm, Lrn,             //
                           Softmax, LogSoftmax, Hardmax,                                   //
                           ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceProd,        //
                           ArgMax, ArgMin, TopK,                                           //
                           Concat, Split, Slice, Pad, Reshape, Flatten, Transpose, Expand, //
                           DepthToSpace, SpaceToDepth, Gather, Resize2d,                   //
                           Conv2dFilterGradient, MaxPool2dGradient, ScatterAdd,            //
                           CrossEntropy, MeanSquaredError, BinaryCrossEntropy,             //
                           RandomUniform,                                                  //
                           Resize2dGradient, Relayout, Call>;

/// One op. Its copies and moves are compiled once (op_table.cpp): inline, in every file that has a
/// graph, they were a third of the work of a build.
class Op : public AnyOp {
public:
  Op();
  using AnyOp::AnyOp;
  Op(const Op &);
  Op(Op &&) noexcept;
  Op &operator=(const Op &);
  Op &operator=(Op &&) noexcept;
  ~Op();
};

struct OperandInfo {
  std::string name;
  bool optional = false; // may be left out at the end
  bool variadic = false; // one or more
};

struct AttributeInfo {
  std::string name;
  std::string type; // for messages and documentation: "a list of 2 integers"
  bool required = false;
  AttributeValue default_value;
  std::function<AttributeValue(const Op &)> get;
  std::function<bool(Op &, const AttributeValue &)> set; // false: the value does not fit the type
};

struct OpInfo {
  std::string name;
  std::string summary;
  std::vector<OperandInfo> operands;
  std::vector<AttributeInfo> attributes;
  size_t positional = 0; // how many attributes are spelt without their name, before the operands
  std::function<Op()> make;
};

/// All ops, in the order of the list above (table rows in their own order).
const std::vector<OpInfo> &op_table();

/// Empty pointer when there is no such op.
const OpInfo *find_op(std::string_view name);

const OpInfo &info_of(const Op &op);

/// Checks an op against its operands and computes the types of its results.
InferredTypes infer(const Op &op, InferContext &context);

const OpTraits &traits_of(const Op &op);
inline Category category_of(const Op &op) { return traits_of(op).category; }

template <class... Ops> bool is_one_of(const Op &op) {
  return (std::holds_alternative<Ops>(op) || ...);
}

/// True for the element-wise op of this row.
bool is(const Op &op, const UnaryRow *row);
bool is(const Op &op, const BinaryRow *row);

/// True for the element-wise ops that have a row.
bool is_formula(const Op &op);

template <class... Cases> struct overloaded : Cases... { using Cases::operator()...; };

// Parameters of cases that several ops share: `const OfCategory<Category::pool> auto &`.
template <class T, Category... categories>
concept OfCategory = ((T::traits.category == categories) || ...);
template <class T, class... Ops>
concept OneOf = (std::is_same_v<T, Ops> || ...);

/// The type of the op stands in the error: "due to requirement 'has_case<cnnc::Hardmax>(exists)'".
template <class T> constexpr bool has_case(bool exists) { return exists; }
template <class T, class Cases> struct CaseOf {
  static constexpr bool exists = std::is_invocable_v<const Cases &, const T &>;
  static_assert(has_case<T>(exists), "this op needs a case where match() is called");
};
template <class Variant, class Cases> struct CasesOf;
template <class... Ops, class Cases>
struct CasesOf<std::variant<Ops...>, Cases> : CaseOf<Ops, Cases>... {
  static constexpr bool exist = (CaseOf<Ops, Cases>::exists && ...);
};

/// Calls the case of an op: that for its type, or for a set of types. What decides something about
/// ops goes through here, without a case for all others, so that the build names the decisions that
/// a new op needs.
template <class... Cases> decltype(auto) match(const Op &op, const Cases &...cases) {
  using All = overloaded<Cases...>;
  if constexpr (CasesOf<AnyOp, All>::exist)
    return std::visit(All{cases...}, static_cast<const AnyOp &>(op));
}

} // namespace cnnc
