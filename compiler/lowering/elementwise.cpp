// Element-wise ops as loops over the result:
//
//   for n, c, h, w { result[n, c, h, w] = max(0, input[n, c, h, w]) }
#include "compiler/lowering/extents.h"
#include "ir/loop/formulas.h"

namespace cnnc {

using loop::Expression;
using loop::Index;
using loop::number;

namespace {

/// What a register has to hold when nothing is stored that would convert: the value as an element
/// of the type.
Expression converted(const Expression &x, DType to) {
  auto between = [&](double least, double most) {
    Expression whole = if_negative(x, ceil(x), floor(x));
    return if_equal(x, x, max(number(least), min(number(most), std::move(whole))), number(0));
  };
  if (to == DType::boolean)
    return if_equal(x, number(0), number(0), number(1));
  // 2^31 and 2^63 stand for the largest numbers of their types, which no f32 has.
  return is_float(to) ? x
                      : between(static_cast<double>(least_of(to)),
                                static_cast<double>(static_cast<float>(largest_of(to))));
}

/// Limits the extents of the result to an operand whose last dimensions are those of the result
/// or 1.
void limit_extents(std::vector<int64_t> &extents, const TensorType &result,
                   const TensorType &operand) {
  size_t missing = result.rank() - operand.rank();
  bool repeated = operand.shape != result.shape;
  for (size_t i = 0; i < operand.rank(); ++i)
    if (!repeated || operand.shape[i] != 1)
      limit_extent(extents[missing + i], operand, i);
}

/// Loops over the result with `value`, made from `operand_count` operands, behind the statements of
/// `body`.
bool lower_elementwise(Lowering &lowering, size_t operand_count, Expression value,
                       std::vector<loop::Statement> body = {}) {
  const TensorType &result = lowering.result();
  std::vector<int64_t> extents = loop_extents(result);
  for (size_t i = 0; i < operand_count; ++i)
    limit_extents(extents, result, lowering.operand(i));
  std::vector<std::string> names = loop_names(result.rank());
  body.push_back(lowering.write(variables(names), std::move(value)));
  append_loops(lowering, names, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

/// An operand at the subscripts of the result. One of the same shape has exactly these, also where
/// a dimension is 1, so that fuse_loops sees that producer and consumer are at the same element.
Expression operand_at(const Lowering &lowering, size_t index, const Subscripts &subscripts) {
  bool same = lowering.operand(index).shape == lowering.result().shape;
  return same ? lowering.read(index, subscripts) : lowering.read_broadcast(index, subscripts);
}

} // namespace

bool lower(const Unary &op, Lowering &lowering) {
  Subscripts place = variables(loop_names(lowering.result().rank()));
  return lower_elementwise(lowering, 1, op.row->lower(lowering.read(0, place), op.parameters));
}

bool lower(const Binary &op, Lowering &lowering) {
  Subscripts place = variables(loop_names(lowering.result().rank()));
  return lower_elementwise(
      lowering, 2, op.row->lower(operand_at(lowering, 0, place), operand_at(lowering, 1, place)));
}

bool lower(const Where &, Lowering &lowering) {
  Subscripts place = variables(loop_names(lowering.result().rank()));
  return lower_elementwise(lowering, 3,
                           if_equal(operand_at(lowering, 0, place), number(0),
                                    operand_at(lowering, 2, place),
                                    operand_at(lowering, 1, place)));
}

/// A store to memory converts, and a plain copy keeps all digits of integers.
bool lower(const Cast &cast, Lowering &lowering) {
  Expression x = lowering.read(0, variables(loop_names(lowering.result().rank())));
  return lower_elementwise(lowering, 1,
                           lowering.result_leaves_kernel() ? x : converted(x, cast.dtype()));
}

namespace {

/// An operand of quantize or dequantize with an entry for each position of an axis.
Expression entry(const Lowering &lowering, size_t operand, int64_t axis) {
  const std::vector<std::string> names = loop_names(lowering.result().rank());
  return lowering.read(operand, {Index::variable(names[*normalized_axis(axis, names.size())])});
}

} // namespace

/// The sum of quotient and zero point is exact up to 2^24, far beyond what any type of 8 bits holds.
bool lower(const Quantize &op, Lowering &lowering) {
  Expression x = lowering.read(0, variables(loop_names(lowering.result().rank())));
  if (lowering.has_operand(1))
    x = std::move(x) / entry(lowering, 1, op.axis);
  else if (op.scale != 1)
    x = std::move(x) / number(static_cast<float>(op.scale));
  x = round(std::move(x));
  if (lowering.has_operand(2))
    x = std::move(x) + entry(lowering, 2, op.axis);
  else if (op.zero_point != 0)
    x = std::move(x) + number(static_cast<double>(op.zero_point));
  // A store saturates, but makes 0 of NaN.
  if (!lowering.result_leaves_kernel() || least_of(op.dtype()) != 0)
    x = max(std::move(x), number(static_cast<double>(least_of(op.dtype()))));
  if (!lowering.result_leaves_kernel())
    x = min(std::move(x), number(static_cast<double>(largest_of(op.dtype()))));
  return lower_elementwise(lowering, 1, std::move(x));
}

/// Differences of sums are exact in a register of integers, of numbers of 8 bits in any.
bool lower(const Dequantize &op, Lowering &lowering) {
  Expression x = lowering.read(0, variables(loop_names(lowering.result().rank())));
  std::vector<loop::Statement> body;
  if (lowering.has_operand(2))
    x = std::move(x) - entry(lowering, 2, op.axis);
  else if (op.zero_point != 0)
    x = std::move(x) - number(static_cast<double>(op.zero_point));
  const bool centred = x.kind == Expression::Kind::call;
  if (centred && lowering.operand(0).dtype == DType::i32) {
    body.push_back(loop::make_register("centred", {}, DType::i32));
    body.push_back(set("centred", std::move(x)));
    x = scalar("centred");
  }
  if (lowering.has_operand(1))
    x = std::move(x) * entry(lowering, 1, op.axis);
  else if (op.scale != 1)
    x = std::move(x) * number(static_cast<float>(op.scale));
  return lower_elementwise(lowering, 1, std::move(x), std::move(body));
}

bool lower(const Lookup &, Lowering &lowering) {
  Expression x = lowering.read(0, variables(loop_names(lowering.result().rank())));
  return lower_elementwise(
      lowering, 1, loop::call(loop::Function::entry, {lowering.read(1, {0}), std::move(x)}));
}

} // namespace cnnc
