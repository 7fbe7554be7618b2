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
//   for c, unroll c.u in 0..4, vector c.v in 0..16 {
//     m.v[c.u, c.v] = max(m.v[c.u, c.v], input[..])
//   }
//   for c in the rest { m = max(m, input[n, c]) }
//   m = max(m, the 64 elements of m.v in a fixed order)
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

/// `place` with another subscript along the axis.
Subscripts moved(Subscripts place, size_t axis, const Index &position) {
  place[axis] = position;
  return place;
}

/// The start of softmax and its logarithm: m, the largest element along the axis, and sum, that of
/// exp(x - m). `keep` makes what becomes of an exponential beside.
void append_sum_of_exponentials(
    std::vector<Statement> &body, const Lowering &lowering, const Subscripts &names, size_t axis,
    const Line &line,
    const std::function<std::vector<Statement>(const Line::Step &, Expression)> &keep) {
  append(body, line.define("m", -INFINITY));
  append(body, line.loops([&](const Line::Step &step) {
    Expression x = lowering.read(0, moved(names, axis, step.position));
    return std::vector<Statement>{loop::make_assign(
        step.partial("m"), call(Function::max, {load(step.partial("m")), std::move(x)}))};
  }));
  append(body, line.combine("m", Function::max));
  append(body, line.sum({"sum"}, {}, [&](const Line::Step &step, const Line::Part &sum) {
    Expression x = lowering.read(0, moved(names, axis, step.position));
    std::vector<Statement> statements = {
        step.make_register("e"),
        loop::make_assign(step.element("e"), call(Function::exp, {std::move(x) - scalar("m")})),
        loop::make_assign(sum("sum"), load(step.element("e")), true)};
    append(statements, keep(step, load(step.element("e"))));
    return statements;
  }));
}

/// The body of softmax: a line along the axis.
std::vector<Statement> softmax_line(const Lowering &lowering, const Subscripts &names, size_t axis,
                                    const Line &line) {
  std::vector<Statement> body;
  append_sum_of_exponentials(body, lowering, names, axis, line,
                             [&](const Line::Step &step, Expression e) {
                               return std::vector<Statement>{
                                   lowering.write(moved(names, axis, step.position), std::move(e))};
                             });
  define(body, "scale", number(1) / scalar("sum"));
  append(body, line.loops([&](const Line::Step &step) {
    loop::Access result = lowering.result_access(moved(names, axis, step.position));
    return std::vector<Statement>{loop::make_assign(result, load(result) * scalar("scale"))};
  }));
  return body;
}

/// The body of its logarithm, which keeps no exponentials: x - m - log(sum).
std::vector<Statement> log_softmax_line(const Lowering &lowering, const Subscripts &names,
                                        size_t axis, const Line &line) {
  std::vector<Statement> body;
  append_sum_of_exponentials(body, lowering, names, axis, line, [](const Line::Step &, Expression) {
    return std::vector<Statement>{};
  });
  define(body, "log_sum", call(Function::log, {scalar("sum")}));
  append(body, line.loops([&](const Line::Step &step) {
    const Subscripts place = moved(names, axis, step.position);
    return std::vector<Statement>{
        lowering.write(place, lowering.read(0, place) - scalar("m") - scalar("log_sum"))};
  }));
  return body;
}

/// The body of hardmax: the largest element, the first place where it stands, and 1 there. A line
/// of NaN has no such place.
std::vector<Statement> hardmax_line(const Lowering &lowering, const Subscripts &names, size_t axis,
                                    const Line &line) {
  const double nowhere = static_cast<double>(lowering.result().shape[axis]);
  std::vector<Statement> body = line.define("m", -INFINITY);
  append(body, line.loops([&](const Line::Step &step) {
    Expression x = lowering.read(0, moved(names, axis, step.position));
    return std::vector<Statement>{
        // in this order max passes over NaN
        loop::make_assign(step.partial("m"),
                          call(Function::max, {std::move(x), load(step.partial("m"))}))};
  }));
  append(body, line.combine("m", Function::max));
  append(body, line.define("at", nowhere));
  append(body, line.loops([&](const Line::Step &step) {
    Expression x = lowering.read(0, moved(names, axis, step.position));
    Expression here = call(Function::select_equal, {std::move(x), scalar("m"),
                                                    loop::value(step.position), number(nowhere)});
    return std::vector<Statement>{loop::make_assign(
        step.partial("at"), call(Function::min, {std::move(here), load(step.partial("at"))}))};
  }));
  append(body, line.combine("at", Function::min));
  append(body, line.loops([&](const Line::Step &step) {
    return std::vector<Statement>{
        lowering.write(moved(names, axis, step.position),
                       call(Function::select_equal,
                            {loop::value(step.position), scalar("at"), number(1), number(0)}))};
  }));
  return body;
}

/// Extents of the loops of an op whose result is shaped like its operand.
std::vector<int64_t> extents_like_operand(const Lowering &lowering) {
  std::vector<int64_t> extents = loop_extents(lowering.result());
  for (size_t i = 0; i < extents.size(); ++i)
    limit_extent(extents[i], lowering.operand(0), i);
  return extents;
}

/// A softmax, its logarithm or hardmax: `body` makes the statements for one line.
template <class Body> bool lower_lines(int64_t along, Lowering &lowering, Body body) {
  const TensorType &result = lowering.result();
  size_t axis = *normalized_axis(along, result.rank());
  std::vector<std::string> names = loop_names(result.rank());
  std::vector<int64_t> extents = extents_like_operand(lowering);
  extents[axis] = result.shape[axis];
  std::vector<std::pair<std::string, int64_t>> lines;
  for (size_t i = 0; i < result.rank(); ++i)
    if (i != axis)
      lines.emplace_back(names[i], extents[i]);
  const Line line(names[axis], extents[axis], take_lanes(lowering, names[axis]));
  lowering.append(loop::nest(lines, body(lowering, variables(names), axis, line)));
  append_zero_lanes(lowering, extents);
  return true;
}

/// What is brought to mean 0 and variance 1: all elements of the loops `reduced`, for each
/// iteration of the loops `kept`.
struct Standardized {
  Nest kept, reduced;
  Subscripts place; // of an element, in the variables of all loops
  double epsilon;
  // What an element, as difference from the mean, becomes; "factor" is 1 / the deviation.
  std::function<Expression(Expression difference, const Subscripts &place)> finish;
};

/// Three passes: the sum, the sums of the differences from the mean and of their squares, the
/// result. A mean far from 0 is rounded at its own size, which shows where the deviation is small:
/// the differences tell how far it is off, "beside".
void append_standardized(Lowering &lowering, const Standardized &op) {
  std::vector<std::string> names;
  double size = 1;
  for (const auto &[name, extent] : op.reduced) {
    names.push_back(name);
    size *= static_cast<double>(extent);
  }
  const size_t inner = innermost(std::vector<bool>(names.size(), true), names, lowering.schedule());
  const Line line(names[inner], op.reduced[inner].second, take_lanes(lowering, names[inner]));
  Nest around = op.reduced;
  around.erase(around.begin() + static_cast<std::ptrdiff_t>(inner));
  auto at = [&](const Line::Step &step) {
    Subscripts place = op.place;
    for (Index &subscript : place)
      subscript = loop::substitute(subscript, names[inner], step.position);
    return place;
  };
  auto difference = [&](const Line::Step &step) {
    return lowering.read(0, at(step)) - scalar("mean");
  };
  std::vector<Statement> body =
      line.sum({"sum"}, around, [&](const Line::Step &step, const Line::Part &sum) {
        return one(loop::make_assign(sum("sum"), lowering.read(0, at(step)), true));
      });
  define(body, "mean", scalar("sum") / number(size));
  append(body, line.sum({"differences", "squares"}, around,
                        [&](const Line::Step &step, const Line::Part &sum) {
                          const Expression e = load(step.element("e"));
                          return std::vector<Statement>{
                              step.make_register("e"),
                              loop::make_assign(step.element("e"), difference(step)),
                              loop::make_assign(sum("differences"), e, true),
                              loop::make_assign(sum("squares"), e * e, true)};
                        }));
  define(body, "beside", scalar("differences") / number(size));
  define(body, "variance",
         (scalar("squares") - scalar("differences") * scalar("beside")) / number(size));
  define(body, "factor",
         number(1) / call(Function::sqrt, {call(Function::max, {number(0), scalar("variance")}) +
                                           number(op.epsilon)}));
  append(body, loop::nest(around, line.loops([&](const Line::Step &step) {
           return one(
               lowering.write(at(step), op.finish(difference(step) - scalar("beside"), at(step))));
         })));
  lowering.append(loop::nest(op.kept, std::move(body)));
}

/// difference * factor * scale[c] + bias[c], for the channel of an element.
Expression scaled_channel(const Lowering &lowering, Expression difference, const Index &channel) {
  Expression factor = scalar("factor");
  if (lowering.has_operand(1))
    factor = std::move(factor) * lowering.read(1, {channel});
  if (!lowering.has_operand(2))
    return std::move(difference) * std::move(factor);
  return call(Function::fma,
              {std::move(difference), std::move(factor), lowering.read(2, {channel})});
}

/// x / base^beta; the usual exponents are square roots.
Expression divided_by_power(Expression x, const Expression &base, double beta) {
  auto root = [](Expression of) { return call(Function::sqrt, {std::move(of)}); };
  if (beta == 0.75)
    return std::move(x) / (root(base) * root(root(base)));
  if (beta == 0.5)
    return std::move(x) / root(base);
  if (beta == 1)
    return std::move(x) / base;
  return std::move(x) / call(Function::pow, {base, number(beta)});
}

} // namespace

bool lower(const BatchNorm &norm, Lowering &lowering) {
  if (norm.statistics == Statistics::batch)
    return lowering.error("statistics of the batch are computed by other ops; run "
                          "expand_training_ops before fuse_kernels");
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
  return lower_lines(softmax.axis, lowering, softmax_line);
}

bool lower(const LogSoftmax &softmax, Lowering &lowering) {
  return lower_lines(softmax.axis, lowering, log_softmax_line);
}
bool lower(const Hardmax &hardmax, Lowering &lowering) {
  return lower_lines(hardmax.axis, lowering, hardmax_line);
}

bool lower(const LayerNorm &norm, Lowering &lowering) {
  const size_t rank = lowering.result().rank(), axis = *normalized_axis(norm.axis, rank);
  std::vector<int64_t> extents = extents_like_operand(lowering);
  for (size_t i = axis; i < rank; ++i)
    extents[i] = lowering.result().shape[i];
  std::vector<std::string> names = loop_names(rank);
  Standardized op;
  op.epsilon = norm.epsilon;
  op.place = variables(names);
  for (size_t i = 0; i < rank; ++i)
    (i < axis ? op.kept : op.reduced).emplace_back(names[i], extents[i]);
  op.finish = [&](Expression difference, const Subscripts &place) {
    Expression result = std::move(difference) * scalar("factor");
    if (lowering.has_operand(2))
      return call(Function::fma, {std::move(result), lowering.read_broadcast(1, place),
                                  lowering.read_broadcast(2, place)});
    return lowering.has_operand(1) ? std::move(result) * lowering.read_broadcast(1, place) : result;
  };
  append_standardized(lowering, op);
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const InstanceNorm &norm, Lowering &lowering) {
  const TensorType &result = lowering.result();
  std::vector<int64_t> extents = extents_like_operand(lowering);
  for (size_t i = 1; i < 3; ++i)
    limit_extent(extents[1], lowering.operand(i), 0);
  if (norm.epsilon == 0) // lanes without a channel have no variance
    extents[1] = result.shape[1];
  std::vector<std::string> names = loop_names(result.rank());
  Standardized op;
  op.epsilon = norm.epsilon;
  op.place = variables(names);
  for (size_t i = 0; i < names.size(); ++i)
    (i < 2 ? op.kept : op.reduced).emplace_back(names[i], extents[i]);
  op.finish = [&](Expression difference, const Subscripts &place) {
    return scaled_channel(lowering, std::move(difference), place[1]);
  };
  append_standardized(lowering, op);
  append_zero_lanes(lowering, extents);
  return true;
}

Loops group_norm_loops(size_t rank) {
  Loops loops = tensor_loops(rank);
  loops.insert(loops.begin() + 1, {"g", Role::dimension});
  return loops;
}

bool lower(const GroupNorm &norm, Lowering &lowering) {
  const TensorType &result = lowering.result();
  std::vector<int64_t> extents = extents_like_operand(lowering);
  extents[1] = result.shape[1];
  const int64_t channels = extents[1] / norm.groups;
  std::vector<std::string> names = loop_names(result.rank());
  Standardized op;
  op.epsilon = norm.epsilon;
  op.place = variables(names);
  op.place[1] = Index::variable("g") * channels + op.place[1];
  op.kept = {{names[0], extents[0]}, {"g", norm.groups}};
  op.reduced = {{names[1], channels}};
  for (size_t i = 2; i < names.size(); ++i)
    op.reduced.emplace_back(names[i], extents[i]);
  op.finish = [&](Expression difference, const Subscripts &place) {
    return scaled_channel(lowering, std::move(difference), place[1]);
  };
  append_standardized(lowering, op);
  append_zero_lanes(lowering, extents);
  return true;
}

bool lower(const Lrn &lrn, Lowering &lowering) {
  const TensorType &result = lowering.result();
  std::vector<int64_t> extents = extents_like_operand(lowering);
  extents[1] = result.shape[1];
  std::vector<std::string> names = loop_names(result.rank());
  Subscripts place = variables(names), neighbour = place;
  neighbour[1] = Index::variable("other");
  loop::For window;
  window.variable = "other";
  window.lower = {Index(0), place[1] - (lrn.size - 1) / 2};
  window.upper = {Index(result.shape[1]), place[1] + (lrn.size / 2 + 1)};
  window.body.push_back(loop::make_assign(
      {"sum", {}}, lowering.read(0, neighbour) * lowering.read(0, neighbour), true));
  std::vector<Statement> body;
  define(body, "sum", number(0));
  body.push_back({std::move(window), {}});
  define(body, "base",
         call(Function::fma, {scalar("sum"), number(lrn.alpha / static_cast<double>(lrn.size)),
                              number(lrn.bias)}));
  body.push_back(
      lowering.write(place, divided_by_power(lowering.read(0, place), scalar("base"), lrn.beta)));
  append_loops(lowering, names, extents, std::move(body));
  append_zero_lanes(lowering, extents);
  return true;
}

} // namespace cnnc
