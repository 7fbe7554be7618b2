// Sums of any length along a line and the loops around it: Line::sum() in line.h.
//
// A register that adds n terms of one size rounds each time at the size of what it holds: its error
// grows with n, by as much as half of n roundings where all terms are alike. Parts of a few dozen
// terms lose less than their last digit. Adding up the parts is a longer sum, which is compensated
// (Kahan): six operations for every part.
#include "compiler/lowering/line.h"
#include "compiler/support/ceil_div.h"
#include "ir/loop/rewrite.h"

namespace cnnc {

using loop::Access;
using loop::call;
using loop::Expression;
using loop::Function;
using loop::Index;
using loop::Statement;

namespace {

/// Terms that a register adds up, at most.
constexpr int64_t most_terms = 32;

} // namespace

/// An infinite sum has lost nothing: the difference of two infinities is no number.
std::vector<Statement> add_compensated(const Access &sum, const Access &lost, const Access &part,
                                       const Access &next) {
  const Expression rounded = (load(next) - load(sum)) - load(part);
  return {loop::make_assign(part, load(part) - load(lost)),
          loop::make_assign(next, load(sum) + load(part)),
          loop::make_assign(
              lost, call(Function::select_equal,
                         {load(next) - load(next), loop::number(0), rounded, loop::number(0)})),
          loop::make_assign(sum, load(next))};
}

/// A line whose parts are one row: what the rows of all parts add up to.
Line Line::one_row() const {
  Line result = *this;
  result.rows_ = lanes_ > 0 ? 1 : 0;
  return result;
}

std::vector<Statement> Line::add_part(const Names &names, const std::string &part_suffix,
                                      std::vector<Statement> making) const {
  const std::set<std::string> made = loop::writes(making);
  std::vector<Statement> result;
  for (const std::string &name : names)
    append(result, define(name + part_suffix, 0));
  append(result, std::move(making));
  for (const std::string &name : names) {
    const std::string made_part = name + part_suffix, lost = name + ".lost";
    const std::string next = made_part + ".next";
    const bool rows = made.contains(made_part + ".v");
    if (rows)
      append(result, combine_rows([&](const Index &into, const Index &other) {
               return one(
                   loop::make_assign(part(made_part, into), load(part(made_part, other)), true));
             }));
    if (rows && lanes_ == 0)
      result.push_back(loop::make_assign({made_part, {}}, load(part(made_part, 0)), true));
    if (rows && lanes_ > 0) {
      const Access next_lane{next + ".v", {Index::variable(name_ + ".v")}};
      result.push_back(loop::make_register(next_lane.buffer, {lanes_}));
      append(result, in_lanes(add_compensated(part(name, 0), part(lost, 0), part(made_part, 0),
                                              next_lane)));
    }
    if (made.contains(made_part) || lanes_ == 0) {
      result.push_back(loop::make_register(next));
      append(result, add_compensated({name, {}}, {lost, {}}, {made_part, {}}, {next, {}}));
    }
  }
  return result;
}

/// A loop in parts of about as many iterations, `most` at most.
Statement Line::in_parts(const Names &names, const std::string &loop, int64_t extent, int64_t most,
                         std::vector<Statement> body) const {
  const int64_t parts = ceil_div(extent, most), size = ceil_div(extent, parts);
  const Index first = Index::variable(loop + ".p") * size;
  loop::substitute(body, loop, first + Index::variable(loop));
  Statement part = loop::make_for(loop, size, std::move(body));
  if (extent % size != 0)
    std::get<loop::For>(part.node).upper.push_back(Index(extent) - first);
  return loop::make_for(loop + ".p", ceil_div(extent, size),
                        add_part(names, ".part", one(std::move(part))));
}

std::vector<Statement> Line::sum(const Names &names, const Nest &around,
                                 const Addition &add) const {
  auto adding_to = [&add](const std::string &suffix) {
    return [&add, suffix](const Step &step) {
      return add(step, [&](const std::string &name) { return step.partial(name + suffix); });
    };
  };
  // The loops from `inner` on belong to a part, and give each of its registers so many terms.
  int64_t terms = ceil_div(extent_, std::max<int64_t>(1, lanes_) * std::max<int64_t>(1, rows_));
  size_t inner = around.size();
  while (inner > 0 && terms * around[inner - 1].second <= most_terms)
    terms *= around[--inner].second;
  const bool long_line = terms > most_terms, whole = !long_line && inner == 0;
  const Line total = whole ? *this : one_row();
  std::vector<Statement> result, parts;
  for (const std::string &name : names) {
    append(result, total.define(name, 0));
    if (!whole)
      append(result, total.define(name + ".lost", 0));
  }
  Nest outer = around;
  if (whole) {
    parts = loops(adding_to(""));
  } else if (long_line) {
    Pieces line = pieces(adding_to(".part"));
    parts.push_back(in_parts(names, name_, line.iterations, most_terms, std::move(line.iteration)));
    if (extent_ % (std::max<int64_t>(1, lanes_) * std::max<int64_t>(1, rows_)) != 0)
      append(parts, add_part(names, ".rest", pieces(adding_to(".rest")).rest));
  } else {
    const auto &[loop, extent] = around[inner - 1];
    const Nest inside(around.begin() + static_cast<std::ptrdiff_t>(inner), around.end());
    outer.resize(inner - 1);
    parts.push_back(in_parts(names, loop, extent, most_terms / terms,
                             loop::nest(inside, loops(adding_to(".part")))));
  }
  append(result, loop::nest(outer, std::move(parts)));
  for (const std::string &name : names)
    append(result, total.combine(name, Function::add));
  return result;
}

} // namespace cnnc
