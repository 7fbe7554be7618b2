// Unrolling: writes out a few iterations of a reduction loop, as `unroll` says.
//
//   for ic in 0..16 {                     for ic in 0..4, unroll ic.u in 0..4 {
//     s += x[ic] * w[ic]             =>     s += x[ic * 4 + ic.u] * w[ic * 4 + ic.u]
//   }                                     }
//
// When the count does not divide the loop, the largest smaller one that does is taken.
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/rewrite.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

using loop::For;
using loop::Index;
using loop::Statement;

bool binds(const std::vector<Statement> &body, const std::string &variable) {
  bool found = false;
  loop::for_each_statement(body, [&](const Statement &statement) {
    const auto *loop = std::get_if<For>(&statement.node);
    found = found || (loop && loop->variable == variable);
  });
  return found;
}

bool unroll(std::vector<Statement> &body, const LoopFactor &factor) {
  bool found = false;
  for (Statement &statement : body) {
    auto *loop = std::get_if<For>(&statement.node);
    if (!loop)
      continue;
    std::optional<int64_t> extent = loop->extent();
    bool serial = loop->kind == loop::LoopKind::serial && loop->lower[0] == Index(0);
    if (loop->variable != factor.loop || !serial || !extent) {
      found = unroll(loop->body, factor) || found;
      continue;
    }
    found = true;
    std::string part = factor.loop + ".u";
    if (binds(loop->body, part))
      continue; // written out already, with an accumulator for each iteration
    int64_t count = std::min(factor.size, *extent);
    while (count > 1 && *extent % count != 0)
      --count;
    if (count <= 1)
      continue;
    loop::substitute(loop->body, factor.loop,
                     Index::variable(factor.loop) * count + Index::variable(part));
    std::vector<Statement> inner;
    inner.push_back(loop::make_for(part, count, std::move(loop->body), loop::LoopKind::unroll));
    loop->body = std::move(inner);
    loop->upper = {Index(*extent / count)};
  }
  return found;
}

} // namespace

bool unroll_loops(loop::Kernel &kernel, PassContext &context) {
  for (const LoopFactor &factor : kernel.schedule.unroll)
    if (!unroll(kernel.body, factor)) {
      context.diagnostics.error(factor.range.known() ? factor.range : kernel.range,
                                fmt::format("kernel @{}: the schedule unrolls {}, which is no loop "
                                            "from 0 to a constant",
                                            kernel.name, factor.loop));
      return false;
    }
  kernel.schedule.unroll.clear();
  return true;
}

} // namespace cnnc
