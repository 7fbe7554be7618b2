// Vectorisation: the iterations of the tile loop that `vector` names become the lanes of vectors.
//
//   kernel @example(b: f32[64]) -> (y: f32[64, 3]) schedule(vector=oc:16) {
//     for oc.o in 0..2 {
//       reg sum: f32[3, 32]
//       unroll ow.i in 0..3, oc.i in 0..32 {
//         sum[ow.i, oc.i] = b[oc.o * 32 + oc.i]
//       }
//       ...
// becomes
//   kernel @example(b: f32[64]) -> (y: f32[64, 3]) {
//     for oc.o in 0..2 {
//       reg sum: f32[3, 2, 16]
//       unroll ow.i in 0..3, oc.i in 0..2, vector oc.v in 0..16 {
//         sum[ow.i, oc.i, oc.v] = b[oc.o * 32 + oc.i * 16 + oc.v]
//       }
//       ...
//
// A tile smaller than the vector (the remainder of a loop) becomes one shorter vector. Runs after
// tile_loops, which has put this loop innermost, around one assignment each.
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/rewrite.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

using loop::For;
using loop::Index;
using loop::LoopKind;
using loop::Register;
using loop::Statement;

class Vectorizer {
public:
  Vectorizer(loop::Kernel &kernel, LoopFactor factor, PassContext &context)
      : kernel_(kernel), context_(context), factor_(std::move(factor)),
        variable_(factor_.loop + ".i"), lane_(factor_.loop + ".v") {}

  bool run() {
    if (!block(kernel_.body))
      return false;
    if (!found_)
      return error(
          fmt::format("the schedule vectorizes {}, which is not tiled: run tile_loops before "
                      "vectorize_loops, and give the loop a tile",
                      factor_.loop));
    return true;
  }

private:
  bool error(std::string message) {
    context_.diagnostics.error(factor_.range.known() ? factor_.range : kernel_.range,
                               fmt::format("kernel @{}: {}", kernel_.name, message));
    return false;
  }

  /// The statements of one scope: its registers get a dimension of lanes, and its loops of this
  /// tile become vectors.
  bool block(std::vector<Statement> &body) {
    for (Statement &statement : body)
      if (auto *reg = std::get_if<Register>(&statement.node); reg && !reg->in_memory)
        if (!widen(*reg, body))
          return false;
    for (Statement &statement : body) {
      auto *inner = std::get_if<For>(&statement.node);
      if (!inner)
        continue;
      // A loop of one iteration has tiles without a loop of their own: scalars.
      found_ = found_ || inner->variable == factor_.loop + ".o";
      if (inner->variable != variable_) {
        if (!block(inner->body))
          return false;
        continue;
      }
      if (!vectorize(*inner))
        return false;
    }
    return true;
  }

  /// Splits the dimension of a register that the loop subscripts into vectors and lanes, the lanes
  /// last.
  bool widen(Register &reg, std::vector<Statement> &body) {
    std::optional<size_t> dimension;
    bool consistent = true;
    loop::for_each_access(body, [&](loop::Access &access) {
      if (access.buffer != reg.name)
        return;
      for (size_t i = 0; i < access.subscripts.size(); ++i)
        if (access.subscripts[i].uses(variable_)) {
          consistent = consistent && access.subscripts[i].as_variable() == variable_ &&
                       dimension.value_or(i) == i;
          dimension = i;
        }
    });
    if (!consistent)
      return error(
          fmt::format("the register {} is not subscripted by {} alone", reg.name, variable_));
    if (!dimension)
      return true;
    int64_t extent = reg.shape[*dimension];
    int64_t lanes = lanes_of(extent);
    reg.shape[*dimension] = extent / lanes;
    reg.shape.push_back(lanes);
    loop::for_each_access(body, [&](loop::Access &access) {
      // The lanes are named below, when the loop itself is split: `variable_` now counts vectors.
      if (access.buffer == reg.name)
        access.subscripts.push_back(Index::variable(lane_));
    });
    widened_.push_back(reg.name);
    return true;
  }

  int64_t lanes_of(int64_t extent) const {
    return extent % factor_.size == 0 ? factor_.size : extent;
  }

  bool vectorize(For &loop) {
    int64_t extent = loop.extent().value_or(0);
    if (loop.body.size() != 1 || !std::holds_alternative<loop::Assign>(loop.body[0].node))
      return error(fmt::format("{} is not innermost around one assignment", variable_));
    found_ = true;
    int64_t lanes = lanes_of(extent);
    Index value = Index::variable(variable_) * lanes + Index::variable(lane_);
    loop::for_each_access(loop.body, [&](loop::Access &access) {
      if (std::find(widened_.begin(), widened_.end(), access.buffer) != widened_.end())
        return;
      for (Index &subscript : access.subscripts)
        subscript = loop::substitute(subscript, variable_, value);
    });
    std::vector<Statement> body;
    body.push_back(loop::make_for(lane_, lanes, std::move(loop.body), LoopKind::vector));
    loop.upper = {Index(extent / lanes)};
    loop.body = std::move(body);
    return true;
  }

  loop::Kernel &kernel_;
  PassContext &context_;
  LoopFactor factor_;
  std::string variable_; // the tile loop
  std::string lane_;     // the vector loop
  std::vector<std::string> widened_;
  bool found_ = false;
};

} // namespace

bool vectorize_loops(loop::Kernel &kernel, PassContext &context) {
  for (const LoopFactor &factor : kernel.schedule.vector)
    if (!Vectorizer(kernel, factor, context).run())
      return false;
  kernel.schedule.vector.clear();
  return true;
}

} // namespace cnnc
