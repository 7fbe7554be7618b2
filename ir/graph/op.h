// THE list of ops, and what the parser, the printer and the documentation know about each.
//
// To add one: a struct in ops/, its name in `Op` below; the build then stops until its reference,
// its cost and its lowering exist. An element-wise op is one more row in ops/elementwise.cpp
// instead.
#pragma once

#include "ir/graph/ops/constants.h"
#include "ir/graph/ops/convolution.h"
#include "ir/graph/ops/elementwise.h"
#include "ir/graph/ops/internal.h"
#include "ir/graph/ops/matmul.h"
#include "ir/graph/ops/normalization.h"
#include "ir/graph/ops/pool.h"
#include "ir/graph/ops/reduction.h"
#include "ir/graph/ops/resize.h"
#include "ir/graph/ops/shape.h"

#include <variant>

namespace cnnc {

using Op = std::variant<Weight, Splat, Literal, Random,                                 //
                        Conv2d, ConvTranspose2d, Local2d, Dense, Matmul,                //
                        MaxPool2d, AvgPool2d, GlobalAvgPool2d,                          //
                        MaxPool2dIndices, MaxUnpool2d,                                  //
                        Unary, Binary, Where, Cast,                                     //
                        BatchNorm, LayerNorm, InstanceNorm, GroupNorm, Lrn,             //
                        Softmax, LogSoftmax,                                            //
                        ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceProd,        //
                        ArgMax, ArgMin, TopK,                                           //
                        Concat, Split, Slice, Pad, Reshape, Flatten, Transpose, Expand, //
                        DepthToSpace, SpaceToDepth, Gather, Resize2d,                   //
                        Relayout, Call>;

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

template <class... Cases> struct overloaded : Cases... { using Cases::operator()...; };

/// True for ops that compute each element of the result from one element of each operand.
bool is_elementwise(const Op &op);

/// True for element-wise ops whose operands are broadcast (NumPy).
bool broadcasts(const Op &op);

/// True for weight, splat, literal and random.
bool is_constant_source(const Op &op);

} // namespace cnnc
