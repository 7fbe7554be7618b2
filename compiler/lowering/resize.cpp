// A resize as loops over the result:
//
//   table rows: i32[2, 16] = [0, 0, 0, 1, ..]            for each tap and row, the row of the input
//   table row_weights: f32[2, 16] = [1, 0.75, ..]
//   for n, c, h, w {
//     result[n, c, h, w] = row_weights[0, h] * (column_weights[0, w] * x[n, c, rows[0, h],
//       columns[0, w]] + column_weights[1, w] * x[.., columns[1, w]]) + row_weights[1, h] * (..)
//   }
//
// The gradient is the same with the transposed map: a table lists the positions that an element is a
// part of. Where the elements follow each other regularly, no table is needed: an image of twice the size
// with mode nearest is result[n, c, h, w] = x[n, c, h / 2, w / 2]. More than four taps, as
// antialiasing has, are a loop around the rest of the product:
//
//   for n, c, h, w {
//     reg sum: f32
//     sum = 0
//     for kh in 0..17 {
//       sum += row_weights[kh, h] * (column_weights[0, w] * x[n, c, rows[kh, h], columns[0, w]] + ..)
//     }
//     result[n, c, h, w] = sum
//   }
#include "compiler/lowering/extents.h"
#include "compiler/lowering/line.h"
#include "compiler/lowering/resize_positions.h"

namespace cnnc {

using loop::Expression;
using loop::Index;

namespace {

constexpr size_t most_written_out = 4; // taps, those of mode cubic

/// One dimension of the result, and what of it stands in tables.
struct ResizedAxis {
  ResizePositions positions;
  Index variable;
  std::string indices, weights, outside; // tables; empty where none is needed
  std::string tap;                       // the loop over taps, where there are many
  bool of_integers = false; // every product is rounded, on CPUs with fused multiply-adds, too

  bool is_loop() const { return positions.taps() > most_written_out; }
  loop::For taps_loop(std::vector<loop::Statement> body) const {
    loop::For result;
    result.variable = tap;
    result.upper = {Index(static_cast<int64_t>(positions.taps()))};
    result.body = std::move(body);
    return result;
  }

  Index element(const Index &tap_index) const {
    if (std::optional<int64_t> times = positions.repeats())
      return variable / *times;
    if (auto strides = positions.strides())
      return variable * strides->first + strides->second + tap_index;
    return Index::lookup(indices, {tap_index, variable});
  }
};

/// The lists of all taps one after the other.
template <class T> std::vector<double> joined(const std::vector<std::vector<T>> &lists) {
  std::vector<double> result;
  for (const std::vector<T> &list : lists)
    for (T element : list)
      result.push_back(static_cast<double>(element));
  return result;
}

ResizedAxis resized_axis(ResizePositions of_axis, size_t axis, Lowering &lowering) {
  const std::string name = axis == 0 ? "row" : "column";
  ResizedAxis result;
  result.positions = std::move(of_axis);
  result.variable = Index::variable(axis == 0 ? "h" : "w");
  result.tap = axis == 0 ? "kh" : "kw";
  result.of_integers = !is_float(lowering.operand(0).dtype);
  const ResizePositions &positions = result.positions;
  const std::vector<int64_t> shape = {static_cast<int64_t>(positions.taps()), positions.output};
  if (!positions.repeats() && !positions.strides())
    result.indices = lowering.add_table(name + "s", DType::i32, shape, joined(positions.indices));
  if (!positions.unweighted())
    result.weights =
        lowering.add_table(name + "_weights", DType::f32, shape, joined(positions.weights));
  if (positions.any_outside())
    result.outside =
        lowering.add_table(name + "s_outside", DType::f32, {positions.output},
                           std::vector<double>(positions.outside.begin(), positions.outside.end()));
  return result;
}

/// A term of the sum over the taps of an axis.
Expression weighted_term(const ResizedAxis &axis, const Index &tap, Expression value) {
  if (axis.weights.empty())
    return value;
  const Expression weight = loop::load(axis.weights, {tap, axis.variable});
  Expression term = weight * std::move(value);
  return axis.positions.gaps ? loop::call(loop::Function::select_equal,
                                          {weight, loop::number(0), loop::number(0), term})
                             : term;
}

/// The sum over the taps of an axis of weight times `value` of the tap; of a loop over them its
/// part.
template <class Value> Expression weighted(const ResizedAxis &axis, Value value) {
  if (axis.is_loop()) {
    const Index tap = Index::variable(axis.tap);
    return weighted_term(axis, tap, value(tap));
  }
  Expression sum;
  for (size_t t = 0; t < axis.positions.taps(); ++t) {
    const Index tap(static_cast<int64_t>(t));
    Expression term = weighted_term(axis, tap, value(tap));
    if (t == 0)
      sum = std::move(term);
    else if (axis.weights.empty() || axis.positions.gaps || axis.of_integers)
      sum = std::move(sum) + std::move(term);
    else
      sum = loop::call(loop::Function::fma, {std::move(term.arguments[0]),
                                             std::move(term.arguments[1]), std::move(sum)});
  }
  return sum;
}

/// Of a sum in one register. To longer ones each addition adds what the last one rounded off.
constexpr size_t most_terms = 64;

/// Leaves the sum of `term` over the loops of the axes in the register `sum`.
std::vector<loop::Statement> sum_over_taps(const ResizedAxis &rows, const ResizedAxis &columns,
                                           Expression term) {
  size_t terms = 1;
  for (const ResizedAxis *axis : {&rows, &columns})
    terms *= axis->is_loop() ? axis->positions.taps() : 1;
  std::vector<loop::Statement> body, inner;
  define(body, "sum", loop::number(0));
  if (terms > most_terms) {
    define(body, "lost", loop::number(0));
    define(inner, "part", std::move(term));
    inner.push_back(loop::make_register("next"));
    append(inner, add_compensated({"sum", {}}, {"lost", {}}, {"part", {}}, {"next", {}}));
  } else {
    inner.push_back(loop::make_assign({"sum", {}}, std::move(term), true));
  }
  for (const ResizedAxis *axis : {&columns, &rows})
    if (axis->is_loop())
      inner = one({axis->taps_loop(std::move(inner)), {}});
  append(body, std::move(inner));
  return body;
}

/// The loops over the result. Returns the value of an element, whose statements go to `body`.
Expression interpolated(const ResizedAxis &rows, const ResizedAxis &columns,
                        const Lowering &lowering, std::vector<loop::Statement> &body) {
  const Subscripts place = variables(loop_names(4));
  Expression value = weighted(rows, [&](const Index &row) {
    return weighted(columns, [&](const Index &column) {
      return lowering.read(0, {place[0], place[1], rows.element(row), columns.element(column)});
    });
  });
  if (!rows.is_loop() && !columns.is_loop())
    return value;
  body = sum_over_taps(rows, columns, std::move(value));
  return scalar("sum");
}

void append_result(Lowering &lowering, std::vector<loop::Statement> body, Expression value) {
  std::vector<int64_t> extents = loop_extents(lowering.result());
  limit_extent(extents[1], lowering.operand(0), 1);
  body.push_back(lowering.write(variables(loop_names(4)), std::move(value)));
  append_loops(lowering, loop_names(4), extents, std::move(body));
  append_zero_lanes(lowering, extents);
}

} // namespace

Loops resize_loops(const Resize2d &op) {
  Loops loops = tensor_loops(4);
  if (op.antialias)
    loops.insert(loops.end(), {{"kh", Role::window}, {"kw", Role::window}});
  return loops;
}

Loops resize_gradient_loops() {
  Loops loops = tensor_loops(4);
  loops.insert(loops.end(), {{"kh", Role::window}, {"kw", Role::window}});
  return loops;
}

bool lower(const Resize2d &op, Lowering &lowering) {
  const std::vector<int64_t> &input = lowering.operand(0).shape;
  const ResizedAxis rows = resized_axis(resize_positions(op, 0, input[2]), 0, lowering);
  const ResizedAxis columns = resized_axis(resize_positions(op, 1, input[3]), 1, lowering);
  std::vector<loop::Statement> body;
  Expression value = interpolated(rows, columns, lowering, body);
  for (const ResizedAxis *axis : {&rows, &columns})
    if (!axis->outside.empty())
      value = loop::call(loop::Function::select_equal,
                         {loop::load(axis->outside, {axis->variable}), loop::number(0),
                          std::move(value), loop::number(op.extrapolation_value)});
  append_result(lowering, std::move(body), std::move(value));
  return true;
}

bool lower(const Resize2dGradient &op, Lowering &lowering) {
  const std::vector<int64_t> &gradient = lowering.operand(0).shape;
  const Resize2d forward = op.forward({gradient[2], gradient[3]});
  auto axis = [&](size_t i) {
    return resized_axis(transposed(resize_positions(forward, i, op.input[i])), i, lowering);
  };
  const ResizedAxis rows = axis(0), columns = axis(1);
  std::vector<loop::Statement> body;
  Expression value = interpolated(rows, columns, lowering, body);
  append_result(lowering, std::move(body), std::move(value));
  return true;
}

} // namespace cnnc
