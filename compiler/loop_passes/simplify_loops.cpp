// Simplification: removes loops of one iteration, and shortens bounds, quotients and remainders as
// far as the ranges of the variables prove it.
//
//   for oc.o in 0..1, oc.i in 0..2, vector oc.v in 0..16 {
//     y[(oc.o * 32 + oc.i * 16 + oc.v) / 16, oc.v % 16] = 0
//   }
// becomes
//   for oc.i in 0..2, vector oc.v in 0..16 {
//     y[oc.i, oc.v] = 0
//   }
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/range.h"
#include "ir/loop/rewrite.h"

#include <algorithm>
#include <iterator>

namespace cnnc {

namespace {

using loop::For;
using loop::Index;
using loop::Statement;

bool is_register(const Statement &statement) {
  return std::holds_alternative<loop::Register>(statement.node);
}

/// Drops each bound that never counts because of another one: lower bounds (sign 1) that are never
/// the largest, upper bounds (sign -1) that are never the smallest.
void drop_bounds(std::vector<Index> &bounds, int64_t sign, const loop::Scope &scope) {
  for (size_t i = bounds.size(); i-- > 0;)
    for (size_t j = 0; j < bounds.size(); ++j) {
      if (i == j)
        continue;
      std::optional<loop::Range> excess = scope.range_of((bounds[i] - bounds[j]) * sign);
      if (!excess || excess->max > 0)
        continue;
      bounds.erase(bounds.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
}

void simplify(std::vector<Statement> &body, loop::Scope &scope) {
  auto simplify_access = [&](loop::Access &access) {
    for (Index &subscript : access.subscripts)
      subscript = loop::simplify(subscript, scope);
  };
  std::vector<Statement> result;
  for (Statement &statement : body) {
    if (auto *assign = std::get_if<loop::Assign>(&statement.node)) {
      simplify_access(assign->target);
      loop::for_each_access(assign->value, simplify_access);
    }
    auto *inner = std::get_if<For>(&statement.node);
    if (!inner) {
      result.push_back(std::move(statement));
      continue;
    }
    for (std::vector<Index> *bound : {&inner->lower, &inner->upper})
      for (Index &index : *bound)
        index = loop::simplify(index, scope);
    drop_bounds(inner->lower, 1, scope);
    drop_bounds(inner->upper, -1, scope);
    std::optional<int64_t> extent = inner->extent();
    if (extent && *extent <= 0)
      continue;
    if (extent == 1)
      loop::substitute(inner->body, inner->variable, inner->lower[0]);
    scope.push(*inner);
    simplify(inner->body, scope);
    scope.pop();
    // Registers end with their loop: without it, those of two neighbours would meet in one scope.
    bool alone =
        body.size() == 1 || std::none_of(inner->body.begin(), inner->body.end(), is_register);
    if (inner->body.empty())
      continue;
    if (extent == 1 && alone)
      std::move(inner->body.begin(), inner->body.end(), std::back_inserter(result));
    else
      result.push_back(std::move(statement));
  }
  body = std::move(result);
}

/// What a schedule says of loops that are gone: there is nothing left to do with them.
void forget_removed_loops(loop::Kernel &kernel) {
  if (kernel.schedule.empty())
    return;
  const std::vector<std::string> loops = loop::schedulable_loops(kernel.body);
  auto removed = [&](const auto &named) {
    return std::find(loops.begin(), loops.end(), named.loop) == loops.end();
  };
  for (auto factors : {&Schedule::vector, &Schedule::tile, &Schedule::unroll, &Schedule::block})
    std::erase_if(kernel.schedule.*factors, removed);
  std::erase_if(kernel.schedule.parallel, removed);
}

} // namespace

bool simplify_loops(loop::Kernel &kernel, PassContext &) {
  loop::Scope scope(kernel);
  simplify(kernel.body, scope);
  forget_removed_loops(kernel);
  return true;
}

} // namespace cnnc
