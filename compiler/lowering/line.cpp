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
  std::optional<LoopFactor> vector = lowering.take(&Schedule::vector, loop);
  if (!vector)
    return std::nullopt;
  std::optional<LoopFactor> unroll = lowering.take(&Schedule::unroll, loop);
  return LineLanes{vector->size, unroll ? unroll->size : 1};
}

Line::Line(std::string name, int64_t extent, std::optional<LineLanes> wanted)
    : name_(std::move(name)), extent_(extent) {
  if (!wanted)
    return;
  lanes_ = power_of_two_below(std::min(wanted->lanes, extent));
  rows_ = power_of_two_below(std::min(wanted->vectors, extent / lanes_));
  if (lanes_ == 1)
    lanes_ = rows_ = 0;
}

Access Line::Step::partial(const std::string &name) const {
  return lane ? Access{name + ".v", {row, Index::variable(*lane)}} : Access{name, {}};
}

Statement Line::Step::make_register(const std::string &name) const {
  return loop::make_register(name, lane ? std::vector<int64_t>{lanes} : std::vector<int64_t>{});
}

Access Line::Step::element(const std::string &name) const {
  return lane ? Access{name, {Index::variable(*lane)}} : Access{name, {}};
}

Statement Line::in_lanes(std::vector<Statement> body) const {
  return loop::make_for(name_ + ".v", lanes_, std::move(body), LoopKind::vector);
}

Statement Line::unrolled(int64_t count, std::vector<Statement> body) const {
  return loop::make_for(name_ + ".u", count, std::move(body), LoopKind::unroll);
}

std::vector<Statement> Line::define(const std::string &name, double value) const {
  std::vector<Statement> result = {loop::make_register(name),
                                   loop::make_assign({name, {}}, loop::number(value))};
  if (lanes_ == 0)
    return result;
  Access part{name + ".v", {Index::variable(name_ + ".u"), Index::variable(name_ + ".v")}};
  result.push_back(loop::make_register(part.buffer, {rows_, lanes_}));
  result.push_back(
      unrolled(rows_, one(in_lanes(one(loop::make_assign(part, loop::number(value)))))));
  return result;
}

std::vector<Statement>
Line::loops(const std::function<std::vector<Statement>(const Step &)> &body) const {
  if (lanes_ == 0)
    return one(loop::make_for(name_, extent_, body({Index::variable(name_), {}, 0, {}})));
  const Index row = Index::variable(name_ + ".u"), lane = Index::variable(name_ + ".v");
  // The rows from `first` on, `count` of them.
  auto rows = [&](const Index &first, int64_t count) {
    std::vector<Statement> registers, assignments;
    for (Statement &statement : body({first + row * lanes_ + lane, name_ + ".v", lanes_, row})) {
      bool declares = std::holds_alternative<loop::Register>(statement.node);
      (declares ? registers : assignments).push_back(std::move(statement));
    }
    registers.push_back(in_lanes(std::move(assignments)));
    return unrolled(count, std::move(registers));
  };
  const int64_t vectors = extent_ / lanes_, times = vectors / rows_, whole = times * rows_;
  std::vector<Statement> result = one(
      loop::make_for(name_, times, one(rows(Index::variable(name_) * (rows_ * lanes_), rows_))));
  if (vectors > whole)
    result.push_back(rows(whole * lanes_, vectors - whole));
  if (extent_ > vectors * lanes_)
    result.push_back(loop::make_for(name_, extent_ - vectors * lanes_,
                                    body({Index::variable(name_) + vectors * lanes_, {}, 0, {}})));
  return result;
}

std::vector<Statement> Line::combine(const std::string &name, Function function) const {
  return combine({name}, [&](const Part &into, const Part &a, const Part &b) {
    return one(combined(into(name), a(name), b(name), function));
  });
}

std::vector<Statement>
Line::combine(const std::vector<std::string> &names,
              const std::function<std::vector<Statement>(const Part &, const Part &, const Part &)>
                  &body) const {
  if (lanes_ == 0)
    return {};
  const Index row = Index::variable(name_ + ".u"), lane = Index::variable(name_ + ".v");
  auto part = [](const Index &first, const Index &second) -> Part {
    return [=](const std::string &name) { return Access{name + ".v", {first, second}}; };
  };
  auto half = [](const Index &place) -> Part {
    return [=](const std::string &name) { return Access{name + ".half", {place}}; };
  };
  std::vector<Statement> result;
  for (int64_t rows = rows_ / 2; rows > 0; rows /= 2)
    result.push_back(unrolled(
        rows, one(in_lanes(body(part(row, lane), part(row, lane), part(row + rows, lane))))));
  for (const std::string &name : names)
    result.push_back(loop::make_register(name + ".half", {lanes_ / 2}));
  result.push_back(unrolled(lanes_ / 2, body(half(row), part(0, row), part(0, row + lanes_ / 2))));
  for (int64_t lanes = lanes_ / 4; lanes > 0; lanes /= 2)
    result.push_back(unrolled(lanes, body(half(row), half(row), half(row + lanes))));
  const Part whole = [](const std::string &name) { return Access{name, {}}; };
  for (Statement &statement : body(whole, whole, half(0)))
    result.push_back(std::move(statement));
  return result;
}

} // namespace cnnc
