#include "compiler/lowering/line.h"

#include <algorithm>
#include <bit>

namespace cnnc {

using loop::Access;
using loop::Function;
using loop::Index;
using loop::LoopKind;
using loop::Statement;

namespace {

int64_t power_of_two_below(int64_t value) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(1, value))));
}

Statement combined(const Access &into, const Access &a, const Access &b, Function function) {
  return loop::make_assign(into, loop::call(function, {loop::load(a.buffer, a.subscripts),
                                                       loop::load(b.buffer, b.subscripts)}));
}

} // namespace

std::optional<LineLanes> take_lanes(Lowering &lowering, const std::string &loop) {
  const std::optional<LoopFactor> vector = lowering.take(&Schedule::vector, loop);
  const std::optional<LoopFactor> unroll = lowering.take(&Schedule::unroll, loop);
  if (!vector && !unroll)
    return std::nullopt;
  return LineLanes{vector ? vector->size : 1, unroll ? unroll->size : 1};
}

Line::Line(std::string name, int64_t extent, std::optional<LineLanes> wanted)
    : name_(std::move(name)), extent_(extent) {
  if (!wanted)
    return;
  lanes_ = power_of_two_below(std::min(wanted->lanes, extent));
  rows_ = power_of_two_below(std::min(wanted->vectors, extent / lanes_));
  if (lanes_ == 1)
    lanes_ = 0;
  if (lanes_ == 0 && rows_ == 1)
    rows_ = 0;
}

Access Line::Step::partial(const std::string &name) const {
  if (!row)
    return {name, {}};
  return {name + ".v", lane ? std::vector<Index>{*row, Index::variable(*lane)} : std::vector{*row}};
}

Statement Line::Step::make_register(const std::string &name) const {
  return loop::make_register(name, lane ? std::vector<int64_t>{lanes} : std::vector<int64_t>{});
}

Access Line::Step::element(const std::string &name) const {
  return lane ? Access{name, {Index::variable(*lane)}} : Access{name, {}};
}

std::vector<Statement> Line::in_lanes(std::vector<Statement> body) const {
  if (lanes_ == 0)
    return body;
  return one(loop::make_for(name_ + ".v", lanes_, std::move(body), LoopKind::vector));
}

Statement Line::unrolled(int64_t count, std::vector<Statement> body) const {
  return loop::make_for(name_ + ".u", count, std::move(body), LoopKind::unroll);
}

/// The part of a register in a row, of the lane at hand.
Access Line::part(const std::string &name, const Index &row) const {
  if (lanes_ == 0)
    return {name + ".v", {row}};
  return {name + ".v", {row, Index::variable(name_ + ".v")}};
}

std::vector<Statement> Line::define(const std::string &name, double value) const {
  std::vector<Statement> result = {loop::make_register(name),
                                   loop::make_assign({name, {}}, loop::number(value))};
  if (rows_ == 0)
    return result;
  const Access first = part(name, Index::variable(name_ + ".u"));
  result.push_back(loop::make_register(first.buffer, lanes_ == 0
                                                         ? std::vector<int64_t>{rows_}
                                                         : std::vector<int64_t>{rows_, lanes_}));
  result.push_back(unrolled(rows_, in_lanes(one(loop::make_assign(first, loop::number(value))))));
  return result;
}

Line::Pieces Line::pieces(const std::function<std::vector<Statement>(const Step &)> &body) const {
  if (rows_ == 0)
    return {extent_, body({Index::variable(name_), {}, 0, {}}), {}};
  const int64_t size = std::max<int64_t>(1, lanes_);
  const Index row = Index::variable(name_ + ".u");
  // The rows from `first` on, `count` of them.
  auto rows = [&](const Index &first, int64_t count) {
    Step step{first + row * size, {}, lanes_, row};
    if (lanes_ > 0) {
      step.lane = name_ + ".v";
      step.position = step.position + Index::variable(*step.lane);
    }
    std::vector<Statement> registers, assignments;
    for (Statement &statement : body(step)) {
      bool declares = std::holds_alternative<loop::Register>(statement.node);
      (declares ? registers : assignments).push_back(std::move(statement));
    }
    append(registers, in_lanes(std::move(assignments)));
    return unrolled(count, std::move(registers));
  };
  const int64_t vectors = extent_ / size, times = vectors / rows_, whole = times * rows_;
  Pieces result{times, one(rows(Index::variable(name_) * (rows_ * size), rows_)), {}};
  if (vectors > whole)
    result.rest.push_back(rows(whole * size, vectors - whole));
  if (extent_ > vectors * size)
    result.rest.push_back(
        loop::make_for(name_, extent_ - vectors * size,
                       body({Index::variable(name_) + vectors * size, {}, 0, {}})));
  return result;
}

std::vector<Statement>
Line::loops(const std::function<std::vector<Statement>(const Step &)> &body) const {
  Pieces all = pieces(body);
  std::vector<Statement> result =
      one(loop::make_for(name_, all.iterations, std::move(all.iteration)));
  append(result, std::move(all.rest));
  return result;
}

std::vector<Statement> Line::combine(const std::string &name, Function function) const {
  return combine({name}, [&](const Part &into, const Part &a, const Part &b) {
    return one(combined(into(name), a(name), b(name), function));
  });
}

std::vector<Statement> Line::combine_rows(
    const std::function<std::vector<Statement>(const Index &into, const Index &other)> &body)
    const {
  const Index row = Index::variable(name_ + ".u");
  std::vector<Statement> result;
  for (int64_t rows = rows_ / 2; rows > 0; rows /= 2)
    result.push_back(unrolled(rows, in_lanes(body(row, row + rows))));
  return result;
}

std::vector<Statement>
Line::combine(const std::vector<std::string> &names,
              const std::function<std::vector<Statement>(const Part &, const Part &, const Part &)>
                  &body) const {
  if (rows_ == 0)
    return {};
  auto in_row = [this](const Index &row) -> Part {
    return [=, this](const std::string &name) { return part(name, row); };
  };
  const Part whole = [](const std::string &name) { return Access{name, {}}; };
  std::vector<Statement> result = combine_rows([&](const Index &into, const Index &other) {
    return body(in_row(into), in_row(into), in_row(other));
  });
  if (lanes_ == 0) {
    append(result, body(whole, whole, in_row(0)));
    return result;
  }
  auto lane = [](const Index &place) -> Part {
    return [=](const std::string &name) { return Access{name + ".v", {0, place}}; };
  };
  auto half = [](const Index &place) -> Part {
    return [=](const std::string &name) { return Access{name + ".half", {place}}; };
  };
  const Index place = Index::variable(name_ + ".u");
  for (const std::string &name : names)
    result.push_back(loop::make_register(name + ".half", {lanes_ / 2}));
  result.push_back(unrolled(lanes_ / 2, body(half(place), lane(place), lane(place + lanes_ / 2))));
  for (int64_t lanes = lanes_ / 4; lanes > 0; lanes /= 2)
    result.push_back(unrolled(lanes, body(half(place), half(place), half(place + lanes))));
  append(result, body(whole, whole, half(0)));
  return result;
}

} // namespace cnnc
