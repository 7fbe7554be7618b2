// Quantised numbers and sums of products of integers. Ops between quantised numbers, as
// QLinearConv, have become these and ops between floats before (expand_quantized.cpp).
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/onnx/import/window.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnnc {

namespace {

using Ints = std::vector<int64_t>;

bool is_byte(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

bool all_equal(const FixedTensor &tensor) {
  for (size_t i = 1; i < tensor.count(); ++i)
    if (tensor.number(i) != tensor.number(0))
      return false;
  return tensor.count() > 0;
}

bool is_zero(const FixedTensor &tensor) { return all_equal(tensor) && tensor.number(0) == 0; }

/// The scale and the zero point of QuantizeLinear and DequantizeLinear, inputs 1 and 2.
class Parameters {
public:
  explicit Parameters(OnnxNode &node) : node_(node) {}

  /// False after an error: blocks, lists that fit neither each other nor the axis.
  bool read() {
    const int64_t entries = element_count(node_.shape(1)).value_or(0);
    if (node_.integer("block_size", 0) != 0 || (node_.rank(1) > 1 && entries != 1))
      return node_.fail("blocked quantisation is not supported, only one scale for all elements or "
                        "for each entry of an axis");
    const int64_t axis = node_.integer("axis", 1);
    if (node_.has(2) && element_count(node_.shape(2)) != entries)
      return node_.fail(fmt::format("its scale is {}, but its zero point {}: they must have the "
                                    "same shape",
                                    to_string(node_.type(1)), to_string(node_.type(2))));
    if (entries == 1)
      return true;
    std::optional<size_t> counted = read_axis(node_, axis, node_.rank(0));
    if (!counted)
      return false;
    axis_ = static_cast<int64_t>(*counted);
    return node_.shape(0)[*counted] == entries ||
           node_.fail(fmt::format("it has {} scales, which do not fit axis {} of {}", entries, axis,
                                  to_string(node_.type(0))));
  }

  /// `op` on the value: quantize or dequantize. no_id where no attribute holds the scale or the
  /// zero point: those that are known only at run time, and scales of 0.
  ValueId emit(std::string_view op, ValueId value, Attributes attributes) {
    const FixedTensor *scales = node_.fixed(1), *points = node_.has(2) ? node_.fixed(2) : nullptr;
    const bool same = scales && all_equal(*scales) && scales->number(0) > 0 &&
                      std::isfinite(scales->number(0)) &&
                      (!node_.has(2) || (points && all_equal(*points)));
    if (same) {
      attributes.emplace_back("scale", shortest_double(scales->floats()[0]));
      if (points && !is_zero(*points))
        attributes.emplace_back("zero_point", points->ints()[0]);
      return node_.emit(op, {value}, attributes);
    }
    if (!axis_)
      return no_id;
    attributes.emplace_back("axis", *axis_);
    std::vector<ValueId> operands = {value, node_.operand(1)};
    if (node_.has(2) && !(points && is_zero(*points)))
      operands.push_back(node_.operand(2));
    return node_.emit(op, operands, attributes);
  }

  bool of_axis() const { return axis_.has_value(); }
  /// As floats, scalars that broadcast.
  ValueId scale() { return reshaped(node_, node_.operand(1), {}); }
  ValueId zero_point() { return reshaped(node_, node_.as_floats(node_.operand(2)), {}); }

private:
  OnnxNode &node_;
  std::optional<int64_t> axis_; // of a list of scales
};

/// The type of the quantised numbers: that of the zero point, else the attribute's.
std::optional<DType> quantized_type(OnnxNode &node) {
  std::optional<DType> type = DType::u8;
  if (node.integer("output_dtype", 0) != 0)
    type = read_type(node, "output_dtype");
  if (node.has(2))
    type = node.type(2).dtype;
  if (!type || is_byte(*type))
    return type;
  node.fail(fmt::format("it quantises as {}, which is not supported, only as UINT8 and INT8",
                        name_of(*type)));
  return std::nullopt;
}

bool import_quantize(OnnxNode &node) {
  if (!node.require_inputs(2, 3))
    return false;
  node.ignore("saturate"); // of 8-bit floats
  node.ignore("precision");
  Parameters parameters(node);
  std::optional<DType> to = quantized_type(node);
  if (!to || !parameters.read())
    return false;
  ValueId value = node.as_floats(node.operand(0));
  ValueId result = parameters.emit("quantize", value, {{"to", Word{std::string(name_of(*to))}}});
  if (result != no_id || parameters.of_axis())
    return node.result(result);
  result = node.emit("round", {node.emit("div", {value, parameters.scale()})});
  if (node.has(2))
    result = node.emit("add", {result, parameters.zero_point()});
  result = node.emit(
      "clip", {result},
      {{"min", static_cast<double>(least_of(*to))}, {"max", static_cast<double>(largest_of(*to))}});
  return node.result(node.converted(result, *to));
}

bool import_dequantize(OnnxNode &node) {
  if (!node.require_inputs(2, 3))
    return false;
  node.ignore("output_dtype"); // floats are f32 here
  const DType from = node.type(0).dtype;
  if (!is_byte(from) && from != DType::i16 && from != DType::i32)
    return node.fail(fmt::format("its input is {}, but must be of UINT8, INT8, INT16 or INT32",
                                 to_string(node.type(0))));
  if (node.has(2) && node.type(2).dtype != from)
    return node.fail(fmt::format("its zero point is of type {}, but its input {}",
                                 name_of(node.type(2).dtype), name_of(from)));
  Parameters parameters(node);
  if (!parameters.read())
    return false;
  ValueId value = node.operand(0);
  ValueId result = parameters.emit("dequantize", value, {});
  if (result != no_id || parameters.of_axis())
    return node.result(result);
  result = node.as_floats(value);
  if (node.has(2))
    result = node.emit("sub", {result, parameters.zero_point()});
  return node.result(node.emit("mul", {result, parameters.scale()}));
}

/// Scale and zero point so that 0 .. 255 stands for the range of the input and of 0.
bool import_dynamic_quantize(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  ValueId x = node.operand(0), zero = node.splat(0), most = node.splat(255);
  Ints axes(node.rank(0));
  for (size_t i = 0; i < axes.size(); ++i)
    axes[i] = static_cast<int64_t>(i);
  auto extreme = [&](std::string_view reduction, std::string_view op) {
    ValueId value =
        axes.empty() ? x : node.emit(reduction, {x}, {{"axes", axes}, {"keep_dims", false}});
    return node.emit(op, {value, zero});
  };
  ValueId least = extreme("reduce_min", "min"), largest = extreme("reduce_max", "max");
  ValueId range = node.emit("sub", {largest, least});
  // Zeros alone: any scale does.
  ValueId scale = node.emit(
      "where", {node.emit("equal", {range, zero}), node.splat(1), node.emit("div", {range, most})});
  const Attributes of_bytes = {{"min", 0.0}, {"max", 255.0}};
  ValueId point = node.emit("div", {node.emit("sub", {zero, least}), scale});
  point = node.emit("round", {node.emit("clip", {point}, of_bytes)});
  ValueId steps = node.emit("round", {node.emit("div", {x, scale})});
  steps = node.emit("clip", {node.emit("add", {steps, point})}, of_bytes);
  return node.result(node.converted(steps, DType::u8)) && node.result(scale, 1) &&
         node.result(node.converted(point, DType::u8), 2);
}

// ---- ConvInteger and MatMulInteger: inputs 0 and 1, less their zero points, inputs 2 and 3

constexpr size_t zero_points = 2; // of input 0; behind it that of input 1

/// Whether input `i` is one of bytes, with one zero point, one for each entry of `axis`, or several
/// that broadcast; reports when not.
bool require_bytes(OnnxNode &node, size_t i, size_t axis) {
  if (!is_byte(node.type(i).dtype))
    return node.fail(fmt::format("its operands must be of UINT8 or INT8, but input {} is {}", i + 1,
                                 to_string(node.type(i))));
  const Ints &shape = node.shape(i);
  if (!node.has(zero_points + i) || element_count(node.shape(zero_points + i)) == 1)
    return true;
  const Ints &points = node.shape(zero_points + i);
  bool fits = points.size() == shape.size();
  for (size_t j = 0; fits && j < shape.size(); ++j)
    fits = points[j] == 1 || points[j] == shape[j];
  if (points.size() == 1)
    fits = axis < shape.size() && points[0] == shape[axis];
  return fits ||
         node.fail(fmt::format("its zero points {} do not fit {}",
                               to_string(node.type(zero_points + i)), to_string(node.type(i))));
}

/// Input `i` less its zero point, exact in f32. A list of zero points is for the entries of `axis`.
ValueId centred(OnnxNode &node, size_t i, size_t axis) {
  ValueId value = node.as_floats(node.operand(i));
  if (!node.has(zero_points + i))
    return value;
  Ints shape = node.shape(zero_points + i);
  if (shape.size() == 1 && shape[0] != 1)
    shape.insert(shape.end(), node.rank(i) - 1 - axis, 1);
  ValueId point = node.as_floats(node.operand(zero_points + i));
  return node.emit("sub", {value, reshaped(node, point, shape)});
}

/// Input 1 less its zero point as i8; no_id when it does not fit, or when that is not known now.
ValueId signed_weights(OnnxNode &node, size_t axis) {
  const FixedTensor *points = node.has(zero_points + 1) ? node.fixed(zero_points + 1) : nullptr;
  const bool plain = !node.has(zero_points + 1) || (points && is_zero(*points));
  if (plain && node.type(1).dtype == DType::i8)
    return node.operand(1);
  const FixedTensor *weights = node.fixed(1);
  const Ints &shape = node.shape(1);
  const auto entries = points ? static_cast<int64_t>(points->count()) : 1;
  const bool is_list = entries == 1 || points->shape.size() == 1;
  if (!weights || (!plain && !points) || !is_list)
    return no_id;
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i)
    inner *= shape[i];
  FixedTensor result = *weights;
  result.dtype = DType::i8;
  for (size_t i = 0; points && i < result.count(); ++i)
    result.ints()[i] -= points->ints()[static_cast<int64_t>(i) / inner % entries];
  const bool fits = std::ranges::all_of(result.ints(), [](int64_t weight) {
    return weight >= least_of(DType::i8) && weight <= largest_of(DType::i8);
  });
  return fits ? node.constant(result) : no_id;
}

/// Input 0 as numbers whose zero point is known.
struct IntegerInput {
  ValueId value;
  int64_t zero_point;
};

/// A zero point that is known only at run time, or of rows, is subtracted.
IntegerInput integer_input(OnnxNode &node, size_t axis) {
  if (!node.has(zero_points))
    return {node.operand(0), 0};
  const FixedTensor *point = node.fixed(zero_points);
  if (point && point->count() == 1)
    return {node.operand(0), point->ints()[0]};
  return {node.converted(centred(node, 0, axis), DType::i32), 0};
}

/// Adds the bias that takes the zero point of the input out of the sums: sum((x - zero) * w) is
/// sum(x * w) + sum(-zero * w). `window` is what one sum reads of the input.
void take_out_zero_point(OnnxNode &node, std::vector<ValueId> &operands, const IntegerInput &input,
                         const Ints &window, std::string_view op, const Attributes &attributes) {
  ValueId weights = operands[1];
  if (input.zero_point == 0 || weights == no_id)
    return;
  ValueId all = node.splat(-static_cast<double>(input.zero_point), window, DType::i32);
  operands.push_back(
      reshaped(node, node.emit(op, {all, weights}, attributes), {node.type_of(weights).shape[0]}));
}

/// What was computed in f32, as integers again, and why.
bool float_sums(OnnxNode &node, ValueId sums, std::string_view reason) {
  if (sums == no_id)
    return false;
  node.importer().remark(fmt::format("{} is computed in f32, which is exact up to 2^24: {}",
                                     node.range().source->part, reason));
  return node.result(node.converted(node.emit("round", {sums}), DType::i32));
}

constexpr std::string_view wide_weights =
    "its weights, less their zero point, are not known to fit i8";

bool import_conv_integer(OnnxNode &node) {
  if (!node.require_inputs(2, 4) || !require_bytes(node, 0, node.rank(0)) ||
      !require_bytes(node, 1, 0))
    return false;
  if (node.rank(0) == 5)
    return node.fail("convolutions of integers over 3 dimensions are not supported");
  ValueId filter = as_rows(node, signed_weights(node, 0));
  const bool is_map = node.rank(0) >= 3 && node.rank(0) == node.rank(1);
  if (filter == no_id || !is_map)
    return float_sums(
        node,
        convolved(node, {centred(node, 0, 1), centred(node, 1, 0)}, {{"winograd", int64_t(-1)}}),
        wide_weights);
  const IntegerInput input = integer_input(node, 1);
  const Ints shape = node.type_of(filter).shape;
  std::vector<ValueId> operands = {input.value, filter};
  take_out_zero_point(node, operands, input, {1, node.shape(0)[1], shape[2], shape[3]}, "conv2d",
                      {{"groups", node.integer("group", 1)}});
  return node.result(convolved(node, operands, {{"zero_point", input.zero_point}}));
}

/// Whether nothing is subtracted from input `i`.
bool has_no_zero_point(OnnxNode &node, size_t i) {
  const FixedTensor *points = node.has(zero_points + i) ? node.fixed(zero_points + i) : nullptr;
  return !node.has(zero_points + i) || (points && is_zero(*points));
}

bool import_matmul_integer(OnnxNode &node) {
  if (!node.require_inputs(2, 4))
    return false;
  // Of vectors, which have neither, there is one zero point.
  const size_t rank = node.rank(0), rows = rank < 2 ? rank : rank - 2;
  const size_t columns = node.rank(1) < 2 ? node.rank(1) : node.rank(1) - 1;
  if (!require_bytes(node, 0, rows) || !require_bytes(node, 1, columns))
    return false;
  const bool dense = node.rank(1) == 2 && node.is_constant(1) && rank >= 2 &&
                     (rank == 2 || !node.type(0).has_symbolic_batch());
  ValueId weights = dense ? signed_weights(node, 1) : no_id;
  if (weights == no_id && rank >= 2 && node.rank(1) >= 2 && has_no_zero_point(node, 0) &&
      has_no_zero_point(node, 1))
    return node.result(node.emit("matmul", {node.operand(0), node.operand(1)}));
  if (weights == no_id)
    return float_sums(node, multiplied(node, centred(node, 0, rows), centred(node, 1, columns)),
                      dense
                          ? wide_weights
                          : "its second operand is no constant matrix, or its batch is not known, "
                            "and there are zero points");
  Ints shape = node.shape(0);
  std::optional<int64_t> count = product(node, shape, 0, rank - 1);
  if (!count)
    return false;
  const IntegerInput input = integer_input(node, rows);
  std::vector<ValueId> operands = {reshaped(node, input.value, {*count, shape.back()}),
                                   transposed(node, weights, {1, 0})};
  take_out_zero_point(node, operands, input, {1, shape.back()}, "dense", {});
  shape.back() = node.shape(1)[1];
  return node.result(reshaped(node, node.emit("dense", operands), shape));
}

constexpr ImportRow rows[] = {{"QuantizeLinear", import_quantize},
                              {"DequantizeLinear", import_dequantize},
                              {"DynamicQuantizeLinear", import_dynamic_quantize},
                              {"ConvInteger", import_conv_integer},
                              {"MatMulInteger", import_matmul_integer}};

} // namespace

std::span<const ImportRow> quantization_imports() { return rows; }

} // namespace cnnc
