// Multithreading: makes one parallel loop, whose iterations are tasks, of the outermost loops that
// `parallel` names.
//
//   kernel @example(x: f32[2, 56]) -> (y: f32[2, 56]) schedule(parallel=[oc, oh]) {
//     for oc.o in 0..2, oh in 0..56 {
//       y[oc.o, oh] = x[oc.o, oh]
//     }
//   }
// becomes
//   kernel @example(x: f32[2, 56]) -> (y: f32[2, 56]) {
//     parallel task in 0..112 {
//       y[task / 56, task % 56] = x[task / 56, task % 56]
//     }
//   }
//
// Every iteration writes results of its own, so that the result does not depend on how the
// iterations are shared: a store that does not mention each of these loops is an error, or mentions
// it in a lookup, which may give several iterations the same element. A name stands for the loop
// itself or for its outer part after tiling. Tasks follow each other in the order of the names, the
// last one changing fastest: parallel=[oh, oc] does all channels of a row, then those of the next.
// With block=oh:4 it does all channels of four rows, row by row for each, then those of the next
// four; of a loop that blocks of this size do not divide, the largest smaller one that does.
//
// A name whose loop cannot be shared is an error: one that stands below a loop that is not shared.
//
// Loops that hold several nests end where the nests begin. When that leaves too few tasks to share
// them evenly, each nest gets such loops of its own first, and becomes a parallel loop itself.
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/rewrite.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace cnnc {

namespace {

using loop::For;
using loop::Index;
using loop::Statement;

/// The place of a loop among the names; that of the end if it is not one of them.
std::ptrdiff_t place_of(const Schedule &schedule, const std::string &variable) {
  auto found =
      std::find_if(schedule.parallel.begin(), schedule.parallel.end(), [&](const LoopName &name) {
        return variable == name.loop || variable == name.loop + ".o";
      });
  return found - schedule.parallel.begin();
}

bool is_named(const Schedule &schedule, const std::string &variable) {
  return place_of(schedule, variable) < std::ssize(schedule.parallel);
}

/// A buffer to which several iterations of the loop store the same element.
std::optional<std::string> shared_store(const std::vector<Statement> &body,
                                        const std::string &variable, const loop::Kernel &kernel) {
  std::optional<std::string> shared;
  loop::for_each_statement(body, [&](const Statement &statement) {
    const auto *assign = std::get_if<loop::Assign>(&statement.node);
    if (shared || !assign || !kernel.find_buffer(assign->target.buffer))
      return;
    const std::vector<Index> &subscripts = assign->target.subscripts;
    if (std::none_of(subscripts.begin(), subscripts.end(), [&](const Index &index) {
          return index.uses(variable) && !index.looks_up_with(variable);
        }))
      shared = assign->target.buffer;
  });
  return shared;
}

bool is_plain(const For &loop) {
  return loop.kind == loop::LoopKind::serial && loop.extent() && loop.lower[0] == Index(0);
}

/// The names whose loops are outermost or below others that are shared or run once.
void find_shareable(const std::vector<Statement> &body, const Schedule &schedule,
                    std::set<std::string> &names) {
  for (const Statement &statement : body) {
    const auto *loop = std::get_if<For>(&statement.node);
    if (!loop || !is_plain(*loop))
      continue;
    const bool named = is_named(schedule, loop->variable);
    if (named)
      names.insert(schedule.parallel[static_cast<size_t>(place_of(schedule, loop->variable))].loop);
    if (named || loop->extent() == 1)
      find_shareable(loop->body, schedule, names);
  }
}

bool check_names(const loop::Kernel &kernel, Diagnostics &diagnostics) {
  std::set<std::string> names;
  find_shareable(kernel.body, kernel.schedule, names);
  bool ok = true;
  for (const LoopName &name : kernel.schedule.parallel)
    if (!names.contains(name.loop)) {
      ok = false;
      diagnostics.error(name.range.known() ? name.range : kernel.range,
                        fmt::format("kernel @{}: {} cannot be parallel: it has to run from 0 to a "
                                    "constant, and so have all loops around it, which have to be "
                                    "parallel, too",
                                    kernel.name, name.loop));
    }
  return ok;
}

/// How many iterations of a loop come one after the other: 1, or a block that divides them.
int64_t block_of(const For &loop, const Schedule &schedule) {
  const int64_t extent = *loop.extent();
  for (const LoopFactor &factor : schedule.block) {
    if (loop.variable != factor.loop && loop.variable != factor.loop + ".o")
      continue;
    int64_t size = std::min(factor.size, extent);
    while (extent % size != 0)
      --size;
    return size;
  }
  return 1;
}

/// The variables of the loops in a task: digits of its number, the last loop's the lowest, but for
/// the iterations in a block, which come below them.
loop::Replacements loops_of_task(const std::vector<For *> &loops, const Schedule &schedule,
                                 int64_t total) {
  int64_t period = total; // of tasks that share all digits so far
  auto digit = [&](int64_t count) {
    period /= count;
    Index value = Index::variable("task") / period;
    // The highest digit needs no remainder: the whole range is one period.
    return count == 1 ? Index(0) : period * count == total ? value : value % count;
  };
  loop::Replacements values;
  for (const For *loop : loops) {
    const int64_t block = block_of(*loop, schedule);
    values.emplace_back(loop->variable, digit(*loop->extent() / block) * block);
  }
  for (size_t i = 0; i < loops.size(); ++i)
    values[i].second = values[i].second + digit(block_of(*loops[i], schedule));
  return values;
}

/// Fewer tasks than this are not shared evenly.
constexpr int64_t enough_tasks = 8;

/// Whether every iteration of the loop around them can do these nests at any time: none reads what
/// another stores.
bool are_independent(const std::vector<Statement> &nests) {
  for (const Statement &nest : nests)
    if (!std::holds_alternative<For>(nest.node))
      return false;
  const std::set<std::string> read = loop::reads(nests);
  std::set<std::string> shared = loop::writes(nests);
  loop::for_each_statement(nests, [&](const Statement &statement) {
    if (const auto *own = std::get_if<loop::Register>(&statement.node))
      shared.erase(own->name);
  });
  return std::none_of(shared.begin(), shared.end(),
                      [&](const std::string &buffer) { return read.contains(buffer); });
}

/// The statement, or when it is one of the named loops, with `tasks` iterations of such loops
/// around it, the loops that do one of its nests each.
std::vector<Statement> separate_nests(Statement statement, int64_t tasks,
                                      const loop::Kernel &kernel) {
  std::vector<Statement> result;
  auto *loop = std::get_if<For>(&statement.node);
  const std::optional<int64_t> extent = loop ? loop->extent() : std::nullopt;
  if (extent && (*extent == 1 || is_named(kernel.schedule, loop->variable)) &&
      tasks * *extent < enough_tasks && (loop->body.size() == 1 || are_independent(loop->body))) {
    std::vector<Statement> nests = std::move(loop->body);
    loop->body.clear();
    for (Statement &nest : nests)
      for (Statement &part : separate_nests(std::move(nest), tasks * *extent, kernel)) {
        result.push_back(statement);
        std::get<For>(result.back().node).body.push_back(std::move(part));
      }
    return result;
  }
  result.push_back(std::move(statement));
  return result;
}

bool parallelize(Statement &statement, const loop::Kernel &kernel, PassContext &context) {
  // The outermost loops, as far as they are named or run once.
  std::vector<For *> loops;
  int64_t total = 1;
  for (auto *loop = std::get_if<For>(&statement.node); loop;) {
    if (!is_plain(*loop) || (loop->extent() != 1 && !is_named(kernel.schedule, loop->variable)))
      break;
    loops.push_back(loop);
    total *= *loop->extent();
    loop = loop->body.size() == 1 ? std::get_if<For>(&loop->body[0].node) : nullptr;
  }
  if (total < 2)
    return true;
  for (const For *loop : loops)
    if (*loop->extent() > 1)
      if (std::optional<std::string> buffer = shared_store(loop->body, loop->variable, kernel)) {
        const SourceRange &range =
            kernel.schedule.parallel[static_cast<size_t>(place_of(kernel.schedule, loop->variable))]
                .range;
        context.diagnostics.error(
            range.known() ? range : kernel.range,
            fmt::format(
                "kernel @{}: {} cannot be parallel, because all its iterations store to the "
                "same elements of {}",
                kernel.name, loop->variable, *buffer));
        return false;
      }
  std::vector<Statement> body = std::move(loops.back()->body);
  std::stable_sort(loops.begin(), loops.end(), [&](const For *a, const For *b) {
    return place_of(kernel.schedule, a->variable) < place_of(kernel.schedule, b->variable);
  });
  loop::substitute(body, loops_of_task(loops, kernel.schedule, total));
  statement = loop::make_for("task", total, std::move(body), loop::LoopKind::parallel);
  return true;
}

} // namespace

bool parallelize_loops(loop::Kernel &kernel, PassContext &context) {
  if (!kernel.schedule.parallel.empty()) {
    if (!check_names(kernel, context.diagnostics))
      return false;
    std::vector<Statement> nests;
    for (Statement &statement : kernel.body)
      for (Statement &nest : separate_nests(std::move(statement), 1, kernel))
        nests.push_back(std::move(nest));
    kernel.body = std::move(nests);
    for (Statement &statement : kernel.body)
      if (!parallelize(statement, kernel, context))
        return false;
  }
  kernel.schedule.parallel.clear();
  kernel.schedule.block.clear();
  return true;
}

} // namespace cnnc
