// Batch normalisation, softmax and means as loops. Softmax takes three passes over a line of the
// axis and keeps the exponentials in the result:
//
//   for n {
//     reg m: f32
//     m = -inf
//     for c { m = max(m, input[n, c]) }
//     reg sum: f32
//     sum = 0
//     for c { reg e: f32   e = exp(input[n, c] - m)   sum += e   result[n, c] = e }
//     reg scale: f32
//     scale = 1 / sum
//     for c { result[n, c] = result[n, c] * scale }
//   }
#include "compiler/lowering/extents.h"

#include <cmath>

namespace cnnc {

using loop::call;
using loop::Expression;
using loop::Function;
using loop::Index;
using loop::number;
using loop::Statement;

namespace {

Expression scalar(const std::string &name) { return loop::load(name, {}); }

Statement set(const std::string &name, Expression value, bool accumulate = false) {
  return loop::make_assign({name, {}}, std::move(value), accumulate);
}

void define(std::vector<Statement> &body, const std::string &name, Expression value) {
  body.push_back(loop::make_register(name));
  body.push_back(set(name, std::move(value)));
}

/// The body of softmax: the line along the axis, whose loop is called `name`.
std::vector<Statement> softmax_line(const Lowering &lowering, const Subscripts &place,
                                    const std::string &name, int64_t size) {
  Expression x = lowering.read(0, place);
  loop::Access result = lowering.result_access(place);
  std::vector<Statement> largest, exponentials, scaled, body;
  largest.push_back(set("m", call(Function::max, {scalar("m"), x})));
  define(exponentials, "e", call(Function::exp, {x - scalar("m")}));
  exponentials.push_back(set("sum", scalar("e"), true));
  exponentials.push_back(loop::make_assign(result, scalar("e")));
  scaled.push_back(
      loop::make_assign(result, loop::load(result.buffer, result.subscripts) * scalar("scale")));
  define(body, "m", number(-INFINITY));
  body.push_back(loop::make_for(name, size, std::move(largest)));
  define(body, "sum", number(0));
  body.push_back(loop::make_for(name, size, std::move(exponentials)));
  define(body, "scale", number(1) / scalar("sum"));
  body.push_back(loop::make_for(name, size, std::move(scaled)));
  return body;
}

} // namespace

bool lower(const BatchNorm &norm, Lowering &lowering) {
  const TensorType &result = lowering.result();
  std::vector<int64_t> extents = loop_extents(result);
  for (size_t i = 0; i < result.rank(); ++i)
    limit_extent(extents[i], lowering.operand(0), i);
  for (size_t i = 1; i < 5; ++i)
    limit_extent(extents[1], lowering.operand(i), 0);
  if (norm.epsilon == 0) // the variance of lanes without a channel is 0, too
    extents[1] = result.shape[1];
  std::vector<std::string> names = loop_names(result.rank());
  Subscripts place = variables(names);
  auto channel = [&](size_t operand) { return lowering.read(operand, {place[1]}); };
  std::vector<Statement> body;
  define(body, "factor", channel(1) / call(Function::sqrt, {channel(4) + number(norm.epsilon)}));
  body.push_back(lowering.write(place, call(Function::fma, {lowering.read(0, place) - channel(3),
                                                            scalar("factor"), channel(2)})));
  append_loops(lowering, names, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const Softmax &softmax, Lowering &lowering) {
  const TensorType &result = lowering.result();
  size_t axis = *normalized_axis(softmax.axis, result.rank());
  std::vector<std::string> names = loop_names(result.rank());
  std::vector<int64_t> extents = loop_extents(result);
  for (size_t i = 0; i < result.rank(); ++i)
    limit_extent(extents[i], lowering.operand(0), i);
  extents[axis] = result.shape[axis];
  std::vector<std::pair<std::string, int64_t>> lines;
  for (size_t i = 0; i < result.rank(); ++i)
    if (i != axis)
      lines.emplace_back(names[i], extents[i]);
  lowering.append(
      loop::nest(lines, softmax_line(lowering, variables(names), names[axis], extents[axis])));
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const ReduceMean &mean, Lowering &lowering) {
  const TensorType &input = lowering.operand(0), &result = lowering.result();
  std::vector<bool> reduced(input.rank(), false);
  for (int64_t axis : mean.axes)
    reduced[*normalized_axis(axis, input.rank())] = true;
  std::vector<std::string> names = loop_names(input.rank());
  std::vector<std::pair<std::string, int64_t>> kept_loops, reduced_loops;
  std::vector<int64_t> extents = loop_extents(result);
  Subscripts place;
  double size = 1;
  for (size_t i = 0; i < input.rank(); ++i) {
    if (reduced[i]) {
      reduced_loops.emplace_back(names[i], input.shape[i]);
      size *= static_cast<double>(input.shape[i]);
      if (mean.keep_dims)
        extents[place.size()] = 1;
    } else {
      limit_extent(extents[place.size()], input, i);
      kept_loops.emplace_back(names[i], extents[place.size()]);
    }
    if (!reduced[i] || mean.keep_dims)
      place.push_back(reduced[i] ? Index(0) : Index::variable(names[i]));
  }
  std::vector<Statement> body, inner;
  define(body, "sum", number(0));
  inner.push_back(set("sum", lowering.read(0, variables(names)), true));
  for (Statement &statement : loop::nest(reduced_loops, std::move(inner)))
    body.push_back(std::move(statement));
  body.push_back(lowering.write(place, scalar("sum") * number(1 / size)));
  lowering.append(loop::nest(kept_loops, std::move(body)));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
