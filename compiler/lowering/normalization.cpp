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
//
// Where the schedule makes lanes of other dimensions, that is all. Where it makes lanes of the
// axis itself, as vector=c:16 and unroll=c:4 do here, this becomes (lowering/line.h)
//
//   reg m.v: f32[4, 16]   = -inf
//   for c, unroll c.u in 0..4, vector c.v in 0..16 { m.v[c.u, c.v] = max(m.v[c.u, c.v], input[..])
//   } for c in the rest { m = max(m, input[n, c]) } m = max(m, the 64 elements of m.v in a fixed
//   order)
#include "compiler/lowering/extents.h"
#include "compiler/lowering/line.h"

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
Expression load(const loop::Access &access) { return loop::load(access.buffer, access.subscripts); }

Statement set(const std::string &name, Expression value) {
  return loop::make_assign({name, {}}, std::move(value));
}

void define(std::vector<Statement> &body, const std::string &name, Expression value) {
  body.push_back(loop::make_register(name));
  body.push_back(set(name, std::move(value)));
}

void append(std::vector<Statement> &to, std::vector<Statement> statements) {
  std::move(statements.begin(), statements.end(), std::back_inserter(to));
}

/// The body of softmax: a line along the axis.
std::vector<Statement> softmax_line(const Lowering &lowering, const Subscripts &names, size_t axis,
                                    const Line &line) {
  auto at = [&](const Index &position) {
    Subscripts place = names;
    place[axis] = position;
    return place;
  };
  std::vector<Statement> body;
  append(body, line.define("m", -INFINITY));
  append(body, line.loops([&](const Line::Step &step) {
    Expression x = lowering.read(0, at(step.position));
    return std::vector<Statement>{loop::make_assign(
        step.partial("m"), call(Function::max, {load(step.partial("m")), std::move(x)}))};
  }));
  append(body, line.combine("m", Function::max));
  append(body, line.define("sum", 0));
  append(body, line.loops([&](const Line::Step &step) {
    Expression x = lowering.read(0, at(step.position));
    return std::vector<Statement>{
        step.make_register("e"),
        loop::make_assign(step.element("e"), call(Function::exp, {std::move(x) - scalar("m")})),
        loop::make_assign(step.partial("sum"), load(step.element("e")), true),
        lowering.write(at(step.position), load(step.element("e")))};
  }));
  append(body, line.combine("sum", Function::add));
  define(body, "scale", number(1) / scalar("sum"));
  append(body, line.loops([&](const Line::Step &step) {
    loop::Access result = lowering.result_access(at(step.position));
    return std::vector<Statement>{loop::make_assign(result, load(result) * scalar("scale"))};
  }));
  return body;
}

/// Of the reduced dimensions the one whose loop is to be innermost: that of the lanes, else the
/// last.
size_t innermost(const std::vector<bool> &reduced, const std::vector<std::string> &names,
                 const Schedule &schedule) {
  size_t last = 0;
  for (size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i])
      continue;
    for (const LoopFactor &factor : schedule.vector)
      if (factor.loop == names[i])
        return i;
    last = i;
  }
  return last;
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
  Line line(lowering.kernel().schedule, names[axis], extents[axis]);
  lowering.append(loop::nest(lines, softmax_line(lowering, variables(names), axis, line)));
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
  const size_t axis = innermost(reduced, names, lowering.kernel().schedule);
  std::vector<int64_t> extents = loop_extents(result);
  Subscripts place;
  double size = 1;
  for (size_t i = 0; i < input.rank(); ++i) {
    if (reduced[i]) {
      if (i != axis)
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
  Line line(lowering.kernel().schedule, names[axis], input.shape[axis]);
  std::vector<Statement> body = line.define("sum", 0);
  append(body, loop::nest(reduced_loops, line.loops([&](const Line::Step &step) {
           Subscripts element = variables(names);
           element[axis] = step.position;
           return std::vector<Statement>{
               loop::make_assign(step.partial("sum"), lowering.read(0, element), true)};
         })));
  append(body, line.combine("sum", Function::add));
  body.push_back(lowering.write(place, scalar("sum") * number(1 / size)));
  lowering.append(loop::nest(kept_loops, std::move(body)));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
