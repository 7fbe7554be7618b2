// Makes one parallel loop of the outermost loops that `parallel` names.
//
//   kernel @y(...) schedule(parallel=[oc, oh]) {      kernel @y(...) {
//     for oc.o in 0..2, oh in 0..56 {                   parallel task in 0..112 {
//       y[oc.o, oh] = x[oc.o, oh]                 ->      y[task / 56, task % 56] = x[task / 56, task % 56]
//     }                                                 }
//   }                                                 }
//
// Every iteration writes results of its own, so that the result does not depend on how the iterations are
// shared. A name stands for the loop itself or for its outer part after tiling.
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/rewrite.h"

#include <algorithm>

namespace cnnc {

namespace {

using loop::For;
using loop::Index;
using loop::Statement;

bool is_named(const Schedule &schedule, const std::string &variable) {
  return std::any_of(schedule.parallel.begin(), schedule.parallel.end(),
                     [&](const std::string &name) {
                       return variable == name || variable == name + ".o";
                     });
}

void parallelize(Statement &statement, const Schedule &schedule) {
  // The outermost loops, as far as they are named or run once.
  std::vector<For *> loops;
  int64_t total = 1;
  for (auto *loop = std::get_if<For>(&statement.node); loop;) {
    std::optional<int64_t> extent = loop->extent();
    bool plain = loop->kind == loop::LoopKind::serial && extent && loop->lower[0] == Index(0);
    if (!plain || (*extent != 1 && !is_named(schedule, loop->variable)))
      break;
    loops.push_back(loop);
    total *= *extent;
    loop = loop->body.size() == 1 ? std::get_if<For>(&loop->body[0].node) : nullptr;
  }
  if (total < 2)
    return;
  loop::Replacements values;
  int64_t inner = total;
  for (For *loop : loops) {
    int64_t extent = *loop->extent();
    inner /= extent;
    Index value = Index::variable("task") / inner;
    // The first loop needs no remainder: the whole range is one period.
    bool first = inner * extent == total;
    values.emplace_back(loop->variable, extent == 1 ? Index(0) : first ? value : value % extent);
  }
  std::vector<Statement> body = std::move(loops.back()->body);
  loop::substitute(body, values);
  statement = loop::make_for("task", total, std::move(body), loop::LoopKind::parallel);
}

} // namespace

bool parallelize_loops(loop::Kernel &kernel, PassContext &) {
  if (!kernel.schedule.parallel.empty())
    for (Statement &statement : kernel.body)
      parallelize(statement, kernel.schedule);
  kernel.schedule.parallel.clear();
  return true;
}

} // namespace cnnc
