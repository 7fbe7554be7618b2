// Reductions as loops, the innermost one a line (lowering/line.h):
//
//   for n, c {
//     reg sum: f32
//     sum = 0
//     for h, w { sum += input[n, c, h, w] }
//     result[n, c, 0, 0] = sum * 0.0204
//   }
#include "compiler/lowering/extents.h"
#include "compiler/lowering/line.h"

#include <cmath>

namespace cnnc {

using loop::call;
using loop::Expression;
using loop::Function;
using loop::Index;
using loop::Statement;

namespace {

/// What a reduction starts from and how it takes an element along.
struct Combination {
  double start;
  Function function;
};

Combination combination(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::max:
    return {-INFINITY, Function::max};
  case ReduceKind::min:
    return {INFINITY, Function::min};
  case ReduceKind::prod:
    return {1, Function::mul};
  case ReduceKind::mean:
  case ReduceKind::sum:
    break;
  }
  return {0, Function::add};
}

/// The elements of a line and the loops around it combined in "sum".
std::vector<Statement> combined(const Line &line, const Combination &combine, const Nest &around,
                                const std::function<Expression(const Line::Step &)> &element) {
  std::vector<Statement> body = line.define("sum", combine.start);
  append(body, loop::nest(around, line.loops([&](const Line::Step &step) {
           const loop::Access part = step.partial("sum");
           // In this order max and min pass over NaN.
           return one(loop::make_assign(part, call(combine.function, {element(step), load(part)})));
         })));
  append(body, line.combine("sum", combine.function));
  return body;
}

/// The dimensions of an input, split into those that are reduced and those that stay.
struct Dimensions {
  std::vector<std::string> names;
  std::vector<bool> reduced;
  std::vector<std::pair<std::string, int64_t>> kept_loops;
  std::vector<int64_t> extents; // of the result
  Subscripts place;             // of a result
  double size = 1;              // elements of one result
};

Dimensions dimensions_of(const Lowering &lowering, const std::vector<int64_t> &axes,
                         bool keep_dims) {
  const TensorType &input = lowering.operand(0);
  Dimensions dims;
  dims.names = loop_names(input.rank());
  dims.reduced.assign(input.rank(), false);
  dims.extents = loop_extents(lowering.result());
  for (int64_t axis : axes)
    dims.reduced[*normalized_axis(axis, input.rank())] = true;
  for (size_t i = 0; i < input.rank(); ++i) {
    if (dims.reduced[i]) {
      dims.size *= static_cast<double>(input.shape[i]);
      if (keep_dims)
        dims.extents[dims.place.size()] = 1;
    } else {
      limit_extent(dims.extents[dims.place.size()], input, i);
      dims.kept_loops.emplace_back(dims.names[i], dims.extents[dims.place.size()]);
    }
    if (!dims.reduced[i] || keep_dims)
      dims.place.push_back(dims.reduced[i] ? Index(0) : Index::variable(dims.names[i]));
  }
  return dims;
}

bool lower_reduction(ReduceKind kind, const std::vector<int64_t> &axes, bool keep_dims,
                     Lowering &lowering) {
  const TensorType &input = lowering.operand(0);
  const Dimensions dims = dimensions_of(lowering, axes, keep_dims);
  const size_t axis = innermost(dims.reduced, dims.names, lowering.schedule());
  Nest reduced_loops;
  for (size_t i = 0; i < input.rank(); ++i)
    if (dims.reduced[i] && i != axis)
      reduced_loops.emplace_back(dims.names[i], input.shape[i]);
  const Line line(dims.names[axis], input.shape[axis], take_lanes(lowering, dims.names[axis]));
  auto element = [&](const Line::Step &step) {
    Subscripts place = variables(dims.names);
    place[axis] = step.position;
    return lowering.read(0, place);
  };
  std::vector<Statement> body;
  if (kind == ReduceKind::mean || kind == ReduceKind::sum)
    body = line.sum({"sum"}, reduced_loops, [&](const Line::Step &step, const Line::Part &sum) {
      return one(loop::make_assign(sum("sum"), element(step), true));
    });
  else
    body = combined(line, combination(kind), reduced_loops, element);
  Expression result = scalar("sum");
  if (kind == ReduceKind::mean)
    result = std::move(result) / loop::number(dims.size);
  body.push_back(lowering.write(dims.place, std::move(result)));
  lowering.append(loop::nest(dims.kept_loops, std::move(body)));
  append_zero_lanes(lowering, dims.extents);
  return true;
}

Expression select_less(Expression a, Expression b, Expression then, Expression otherwise) {
  return call(Function::select_less,
              {std::move(a), std::move(b), std::move(then), std::move(otherwise)});
}
Expression select_equal(Expression a, Expression b, Expression then, Expression otherwise) {
  return call(Function::select_equal,
              {std::move(a), std::move(b), std::move(then), std::move(otherwise)});
}

/// Compares as `largest` says: a better than b ? then : otherwise.
Expression select_better(bool largest, Expression a, Expression b, Expression then,
                         Expression otherwise) {
  return largest ? select_less(std::move(b), std::move(a), std::move(then), std::move(otherwise))
                 : select_less(std::move(a), std::move(b), std::move(then), std::move(otherwise));
}

/// What is worse than every element, or as bad.
double worst(bool largest) { return largest ? -INFINITY : INFINITY; }

/// Registers m, the best element so far, and at, its index:
///
///   for c { at = m < x[c] ? c : at   m = m < x[c] ? x[c] : m }
template <bool largest> bool lower_arg(const ArgExtreme<largest> &op, Lowering &lowering) {
  const TensorType &input = lowering.operand(0);
  const Dimensions dims = dimensions_of(lowering, {op.axis}, op.keep_dims);
  const size_t axis = *normalized_axis(op.axis, input.rank());
  const Line line(dims.names[axis], input.shape[axis], take_lanes(lowering, dims.names[axis]));
  std::vector<Statement> body = line.define("m", worst(largest));
  append(body, line.define("at", 0));
  append(body, line.loops([&](const Line::Step &step) {
    Subscripts element = variables(dims.names);
    element[axis] = step.position;
    const Expression m = load(step.partial("m")), at = load(step.partial("at"));
    const Expression x = load(step.element("e")), here = loop::value(step.position);
    std::vector<Statement> statements = {
        step.make_register("e"), loop::make_assign(step.element("e"), lowering.read(0, element))};
    // Nothing is taken where x is NaN: every comparison is false.
    Expression otherwise = op.select_last ? select_equal(x, m, here, at) : at;
    statements.push_back(loop::make_assign(
        step.partial("at"), select_better(largest, x, m, here, std::move(otherwise))));
    statements.push_back(loop::make_assign(step.partial("m"), select_better(largest, x, m, x, m)));
    return statements;
  }));
  append(body, line.combine({"m", "at"}, [&](const Line::Part &into, const Line::Part &a,
                                             const Line::Part &b) {
    const Function order = op.select_last ? Function::max : Function::min;
    const Expression better = load(b("m")), m = load(a("m"));
    return std::vector<Statement>{
        loop::make_assign(
            into("at"),
            select_equal(better, m, call(order, {load(a("at")), load(b("at"))}),
                         select_better(largest, better, m, load(b("at")), load(a("at"))))),
        loop::make_assign(into("m"), select_better(largest, better, m, better, m))};
  }));
  body.push_back(lowering.write(dims.place, scalar("at")));
  lowering.append(loop::nest(dims.kept_loops, std::move(body)));
  append_zero_lanes(lowering, dims.extents);
  return true;
}

/// One of the k results: among the elements behind `last`, which stood at `last_at`, the best one
/// and its index. at < 0: none found yet.
std::vector<Statement> next_best(const Lowering &lowering, const Line &line, size_t axis,
                                 const std::vector<std::string> &names, bool largest) {
  // 1 if (a, its index) comes before (b, its index), else 0.
  auto before = [&](const Expression &a, const Expression &a_at, const Expression &b,
                    const Expression &b_at) {
    return select_better(largest, a, b, loop::number(1),
                         select_equal(a, b,
                                      select_less(a_at, b_at, loop::number(1), loop::number(0)),
                                      loop::number(0)));
  };
  std::vector<Statement> body = line.define("m", worst(largest));
  append(body, line.define("at", -1));
  append(body, line.define("take", 0));
  append(body, line.loops([&](const Line::Step &step) {
    Subscripts element = variables(names);
    element[axis] = step.position;
    const Expression m = load(step.partial("m")), at = load(step.partial("at"));
    const Expression x = load(step.element("e")), here = loop::value(step.position);
    const Expression open = before(scalar("last"), scalar("last_at"), x, here);
    // Indices grow: an equal element further on never comes before.
    const Expression better =
        select_less(at, loop::number(0), loop::number(1),
                    select_better(largest, x, m, loop::number(1), loop::number(0)));
    const Expression taken = load(step.partial("take"));
    return std::vector<Statement>{
        step.make_register("e"), loop::make_assign(step.element("e"), lowering.read(0, element)),
        loop::make_assign(step.partial("take"), open * better),
        loop::make_assign(step.partial("at"), select_equal(taken, loop::number(1), here, at)),
        loop::make_assign(step.partial("m"), select_equal(taken, loop::number(1), x, m))};
  }));
  append(body, line.combine({"m", "at", "take"}, [&](const Line::Part &into, const Line::Part &a,
                                                     const Line::Part &b) {
    const Expression m = load(a("m")), at = load(a("at")), taken = load(into("take"));
    const Expression other = load(b("m")), other_at = load(b("at"));
    const Expression better =
        select_less(at, loop::number(0), loop::number(1), before(other, other_at, m, at));
    return std::vector<Statement>{
        loop::make_assign(into("take"),
                          select_less(other_at, loop::number(0), loop::number(0), better)),
        loop::make_assign(into("at"), select_equal(taken, loop::number(1), other_at, at)),
        loop::make_assign(into("m"), select_equal(taken, loop::number(1), other, m))};
  }));
  return body;
}

} // namespace

bool lower(const ReduceMean &op, Lowering &lowering) {
  return lower_reduction(ReduceKind::mean, op.axes, op.keep_dims, lowering);
}
bool lower(const ReduceSum &op, Lowering &lowering) {
  return lower_reduction(ReduceKind::sum, op.axes, op.keep_dims, lowering);
}
bool lower(const ReduceMax &op, Lowering &lowering) {
  return lower_reduction(ReduceKind::max, op.axes, op.keep_dims, lowering);
}
bool lower(const ReduceMin &op, Lowering &lowering) {
  return lower_reduction(ReduceKind::min, op.axes, op.keep_dims, lowering);
}
bool lower(const ReduceProd &op, Lowering &lowering) {
  return lower_reduction(ReduceKind::prod, op.axes, op.keep_dims, lowering);
}

bool lower(const ArgMax &op, Lowering &lowering) { return lower_arg(op, lowering); }
bool lower(const ArgMin &op, Lowering &lowering) { return lower_arg(op, lowering); }

Loops top_k_loops(size_t rank) {
  Loops loops = tensor_loops(rank);
  loops.push_back({"rank", Role::dimension});
  return loops;
}

/// The next best element k times: no sort, for k is small where this op stands.
bool lower(const TopK &op, Lowering &lowering) {
  const TensorType &input = lowering.operand(0);
  const size_t axis = *normalized_axis(op.axis, input.rank());
  const std::vector<std::string> names = loop_names(input.rank());
  std::vector<int64_t> extents = loop_extents(lowering.result());
  std::vector<std::pair<std::string, int64_t>> lines;
  for (size_t i = 0; i < input.rank(); ++i) {
    limit_extent(extents[i], input, i);
    if (i != axis)
      lines.emplace_back(names[i], extents[i]);
  }
  const Line line(names[axis], input.shape[axis], take_lanes(lowering, names[axis]));
  std::vector<Statement> next = next_best(lowering, line, axis, names, op.largest);
  Subscripts place = variables(names);
  place[axis] = Index::variable("rank");
  next.push_back(set("last", scalar("m")));
  // No element is found when those that are left are NaN, and none is behind the end.
  next.push_back(set("last_at", select_less(scalar("at"), loop::number(0),
                                            loop::number(static_cast<double>(input.shape[axis])),
                                            scalar("at"))));
  next.push_back(lowering.write(place, scalar("last")));
  next.push_back(lowering.write(place, call(Function::max, {loop::number(0), scalar("at")}), 1));
  std::vector<Statement> body;
  define(body, "last", loop::number(-worst(op.largest)));
  define(body, "last_at", loop::number(-1));
  append(body, loop::nest({{"rank", op.k}}, std::move(next)));
  lowering.append(loop::nest(lines, std::move(body)));
  extents[axis] = op.k;
  append_zero_lanes(lowering, extents);
  append_zero_lanes(lowering, extents, 1);
  return true;
}

} // namespace cnnc
