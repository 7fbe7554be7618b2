// Ops on single elements.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

/// The row of the table that an ONNX op means.
template <class Row> const Row &row_of(const OnnxNode &node, std::span<const Row> rows) {
  return *std::ranges::find(rows, node.op(), [](const Row &row) { return row.onnx.op; });
}

bool import_unary(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  const UnaryRow &row = row_of(node, unary_table());
  Attributes attributes;
  for (size_t i = 0; i < row.parameter_count(); ++i) {
    const UnaryParameter &parameter = row.parameters[i];
    attributes.emplace_back(parameter.name,
                            node.number(parameter.onnx_name(), parameter.default_value));
  }
  node.ignore("consumed_inputs"); // of opset 1
  if (row.dtype == DType::boolean)
    return node.result(node.emit(row.name, {node.operand(0)}, attributes));
  return node.result(node.emit_arithmetic(row.name, {node.operand(0)}, attributes));
}

/// Until opset 6 broadcasting was asked for by an attribute, and `axis` said where the dimensions
/// of the second operand begin in those of the first.
ValueId second_operand(OnnxNode &node) {
  ValueId value = node.operand(1);
  if (node.opset() >= 7)
    return value;
  node.ignore("consumed_inputs");
  bool broadcasts = node.integer("broadcast", 0) != 0;
  size_t rank = node.rank(0), own = node.rank(1);
  int64_t axis = node.integer("axis", static_cast<int64_t>(rank) - static_cast<int64_t>(own));
  if (!broadcasts && node.shape(0) != node.shape(1)) {
    node.fail(fmt::format("its operands are {} and {}, which opset {} allows only with "
                          "'broadcast' = 1",
                          to_string(node.type(0)), to_string(node.type(1)), node.opset()));
    return no_id;
  }
  if (!broadcasts || own == 0)
    return value;
  std::optional<size_t> first = read_axis(node, axis, rank);
  if (!first || *first + own > rank) {
    if (first)
      node.fail(fmt::format("the second operand does not fit behind axis {} of the first", axis));
    return no_id;
  }
  std::vector<int64_t> shape = node.shape(1);
  shape.resize(rank - *first, 1);
  return reshaped(node, value, std::move(shape));
}

bool import_binary(OnnxNode &node) {
  if (!node.require_inputs(2, 2))
    return false;
  const BinaryRow &row = row_of(node, binary_table());
  ValueId a = node.operand(0), b = second_operand(node);
  if (row.operands == DType::boolean)
    return node.result(node.emit(row.name, {a, b}));
  if (row.result == DType::boolean) // comparisons: of integers and truth values, too
    return node.result(node.emit(row.name, {node.as_floats(a), node.as_floats(b)}));
  return node.result(node.emit_arithmetic(row.name, {a, b}));
}

/// The remainder of a division rounded down, or towards zero with fmod = 1. Exact for integers up
/// to 2^24.
bool import_mod(OnnxNode &node) {
  if (!node.require_inputs(2, 2))
    return false;
  bool towards_zero = node.integer("fmod", 0) != 0;
  DType dtype = node.type(0).dtype;
  if (!towards_zero && dtype == DType::f32)
    return node.fail("the remainder of floats needs fmod = 1");
  ValueId a = node.as_floats(node.operand(0)), b = node.as_floats(node.operand(1));
  ValueId quotient = node.emit("div", {a, b});
  ValueId rounded = towards_zero
                        ? node.emit("mul", {node.emit("sign", {quotient}),
                                            node.emit("floor", {node.emit("abs", {quotient})})})
                        : node.emit("floor", {quotient});
  ValueId remainder = node.emit("sub", {a, node.emit("mul", {rounded, b})});
  return node.result(node.converted(remainder, dtype));
}

/// Of any number of operands: Sum, Mean, Max, Min.
bool import_variadic(OnnxNode &node) {
  size_t count = node.input_count();
  if (!node.require_inputs(std::max<size_t>(1, count), count))
    return false;
  node.ignore("consumed_inputs");
  std::string_view op = node.op() == "Max" ? "max" : node.op() == "Min" ? "min" : "add";
  if (count == 1)
    return node.pass_through(0);
  ValueId result = node.operand(0);
  for (size_t i = 1; i < count; ++i)
    result = node.emit_arithmetic(op, {result, node.operand(i)});
  if (node.op() == "Mean")
    result = node.emit("div", {result, node.splat(static_cast<double>(count))});
  return node.result(result);
}

/// The slope of old files has one number per channel, whatever the rank of the input.
bool import_prelu(OnnxNode &node) {
  if (!node.require_inputs(2, 2))
    return false;
  node.ignore("consumed_inputs");
  ValueId slope = node.operand(1);
  size_t rank = node.rank(0);
  if (node.rank(1) == 1 && rank > 2 && node.shape(1)[0] != 1 &&
      (node.opset() < 7 || node.shape(1)[0] != node.shape(0).back())) {
    std::vector<int64_t> shape(rank - 1, 1);
    shape[0] = node.shape(1)[0];
    slope = reshaped(node, slope, shape);
  }
  return node.result(node.emit("prelu", {node.operand(0), slope}));
}

/// Bounds as attributes until opset 10, then as inputs, which may be left out or be computed.
bool import_clip(OnnxNode &node) {
  bool attributes = node.opset() < 11;
  if (!node.require_inputs(1, attributes ? 1 : 3))
    return false;
  node.ignore("consumed_inputs");
  Attributes bounds;
  ValueId value = node.operand(0);
  for (size_t i = 1; i <= 2; ++i) {
    std::string_view name = i == 1 ? "min" : "max";
    if (attributes && node.has_attribute(name)) {
      // The defaults of old versions stand for no bound.
      double bound = node.number(name, 0);
      if (std::abs(bound) < static_cast<double>(std::numeric_limits<float>::max()))
        bounds.emplace_back(name, bound);
    } else if (!attributes && node.has(i)) {
      const FixedTensor *known = node.fixed(i);
      if (known && known->count() == 1 && !std::isnan(known->number(0)))
        bounds.emplace_back(name, known->is_float() ? shortest_double(known->floats()[0])
                                                    : known->number(0));
      else // the lower bound first, as the upper one wins; one that is NaN makes all NaN
        value = node.emit_arithmetic(i == 1 ? "max" : "min", {value, node.operand(i)});
    }
  }
  if (bounds.empty())
    return node.result(value);
  bool crossed =
      bounds.size() == 2 && std::get<double>(bounds[0].second) > std::get<double>(bounds[1].second);
  if (crossed) // everything is the upper bound
    bounds[0].second = bounds[1].second;
  return node.result(node.emit_arithmetic("clip", {value}, bounds));
}

bool import_gelu(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::string approximate = node.word("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return node.fail(
        fmt::format("'approximate' is '{}', but must be none or tanh", printable(approximate)));
  bool tanh = approximate == "tanh";
  return node.result(node.emit(tanh ? "gelu_tanh" : "gelu", {node.operand(0)}));
}

/// x * sigmoid(alpha * x)
bool import_swish(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  double alpha = node.number("alpha", 1);
  ValueId x = node.operand(0);
  if (alpha == 1)
    return node.result(node.emit("silu", {x}));
  ValueId scaled = node.emit("mul", {x, node.splat(alpha)});
  return node.result(node.emit("mul", {x, node.emit("sigmoid", {scaled})}));
}

/// What does not equal itself.
bool import_is_nan(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  ValueId x = node.operand(0);
  return node.result(node.emit("not", {node.emit("equal", {x, x})}));
}

bool import_is_inf(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  bool negative = node.integer("detect_negative", 1) != 0;
  bool positive = node.integer("detect_positive", 1) != 0;
  ValueId x = node.operand(0);
  if (negative && positive)
    x = node.emit("abs", {x});
  // Nothing equals NaN.
  double wanted = positive ? infinity : negative ? -infinity : std::nan("");
  return node.result(node.emit("equal", {x, node.splat(wanted)}));
}

bool cast_to(OnnxNode &node, DType dtype) {
  node.integer("saturate", 1); // of 8-bit floats
  return dtype == node.type(0).dtype ? node.pass_through(0)
                                     : node.result(node.converted(node.operand(0), dtype));
}

bool import_cast(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::optional<DType> to = read_type(node, "to");
  return to && cast_to(node, *to);
}

/// To the type of the second input.
bool import_cast_like(OnnxNode &node) {
  return node.require_inputs(2, 2) && cast_to(node, node.type(1).dtype);
}

/// Ops with peculiarities; those of the tables besides.
constexpr ImportRow rows[] = {
    {"CastLike", import_cast_like}, {"Swish", import_swish},   {"IsNaN", import_is_nan},
    {"IsInf", import_is_inf},       {"Cast", import_cast},     {"Clip", import_clip},
    {"PRelu", import_prelu},        {"Gelu", import_gelu},     {"Mod", import_mod},
    {"Sum", import_variadic},       {"Mean", import_variadic}, {"Max", import_variadic},
    {"Min", import_variadic}};

std::vector<ImportRow> all_rows() {
  std::vector<ImportRow> result(std::begin(rows), std::end(rows));
  auto add = [&](const auto &table, NodeImport import) {
    for (const auto &row : table)
      if (!row.onnx.op.empty() &&
          std::ranges::find(rows, row.onnx.op, &ImportRow::op) == std::end(rows))
        result.push_back({row.onnx.op, import});
  };
  add(unary_table(), import_unary);
  add(binary_table(), import_binary);
  return result;
}

} // namespace

/// Of Cast a number since opset 6, before that a name.
std::optional<DType> read_type(OnnxNode &node, std::string_view attribute) {
  int64_t type = onnx::TensorProto::UNDEFINED;
  if (node.opset() >= 6) {
    type = node.integer(attribute, type);
  } else {
    onnx::TensorProto::DataType named = onnx::TensorProto::UNDEFINED;
    onnx::TensorProto::DataType_Parse(node.word(attribute, ""), &named);
    type = named;
  }
  std::optional<DType> result =
      type > 0 && type < 1000 ? dtype_of(static_cast<int32_t>(type)) : std::nullopt;
  if (!result && !node.has_wrong_attribute())
    node.fail(
        fmt::format("the type {} is not supported, only FLOAT (FLOAT16, BFLOAT16 and DOUBLE stay "
                    "f32), INT32, INT64, UINT8, INT8, INT16 and BOOL",
                    onnx_type_name(static_cast<int32_t>(std::clamp<int64_t>(type, 0, 1000)))));
  return result;
}

std::span<const ImportRow> elementwise_imports() {
  static const std::vector<ImportRow> all = all_rows();
  return all;
}

} // namespace cnnc
