// Loop fusion: joins the nests of a kernel's ops, so that what one op hands to the next stays in a
// register.
//
//   kernel @example(x: f32[8, 6]) -> (r: f32[8, 6]) local(c: f32[8, 6]) {
//     for oc in 0..8, ow in 0..6 {
//       c[oc, ow] = x[oc, ow] * 2
//     }
//     for h in 0..8, w in 0..6 {
//       r[h, w] = max(0, c[h, w])
//     }
//   }
// becomes
//   kernel @example(x: f32[8, 6]) -> (r: f32[8, 6]) {
//     for oc in 0..8, ow in 0..6 {
//       reg c: f32
//       c = x[oc, ow] * 2
//       r[oc, ow] = max(0, c)
//     }
//   }
//
// A pool whose windows do not overlap reads a whole block of its producer's values: the producer's
// loops are split by the window, `for ow in 0..6` into `for ow in 0..3, unroll ow.p in 0..2`, the
// nests joined at the outer part, and the register holds the block. A producer that is no plain
// nest over its result, as Winograd's, gets its consumer where it stores (fuse_at_stores.h).
//
// A register of a local is f32, or i32 as its local, or where short integers are only copied to
// others from there. A local of another type holds what that type holds: lowering rounds before it
// stores to one.
#include "compiler/loop_passes/fuse_at_stores.h"
#include "compiler/loop_passes/local_register.h"
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/rewrite.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

using loop::Access;
using loop::For;
using loop::Index;
using loop::Kernel;
using loop::Statement;

/// A nest of one op: its perfect band of loops and where it stands in the kernel.
struct Nest {
  size_t position = 0;
  std::vector<const For *> band;
  const std::vector<Statement> &body() const { return band.back()->body; }
};

/// How a consumer's subscript relates to the producer's variable: window * consumer + offset
/// variable.
struct Split {
  int64_t window = 1;
  std::string offset; // the loop inside the consumer's body, empty when window is 1
};

class Fusion {
public:
  Fusion(Kernel &kernel, const loop::Buffer &local) : kernel_(kernel), local_(local) {}

  bool run() {
    if (!find_nests() || !match())
      return false;
    merge();
    return true;
  }

private:
  bool find_nests() {
    size_t writers = 0, readers = 0;
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      const std::span<const Statement> nest_alone(&kernel_.body[i], 1);
      const bool writes = loop::writes(nest_alone).contains(local_.name);
      if (!writes && !loop::reads(nest_alone).contains(local_.name))
        continue;
      Nest nest{i, loop::perfect_band(kernel_.body[i])};
      if (nest.band.empty())
        return false;
      (writes ? producer_ : consumer_) = std::move(nest);
      ++(writes ? writers : readers);
    }
    return writers == 1 && readers == 1 && producer_.position < consumer_.position;
  }

  /// The subscripts with which the producer writes the local: it does so once, at its body's end.
  const Access *written() const {
    const auto *assign = std::get_if<loop::Assign>(&producer_.body().back().node);
    bool last = assign && !assign->accumulate && assign->target.buffer == local_.name;
    return last ? &assign->target : nullptr;
  }

  bool match() {
    // Only the loops that both nests have are joined: a consumer's band may go on with its window.
    size_t depth = producer_.band.size();
    if (!written() || consumer_.band.size() < depth)
      return false;
    pair_loops();
    for (size_t i = 0; i < depth; ++i) {
      std::optional<int64_t> outer = producer_.band[i]->extent();
      std::optional<int64_t> inner = partners_[i]->extent();
      if (!outer || !inner || *inner < 1 || *outer % *inner != 0)
        return false;
      splits_.push_back({*outer / *inner, ""});
    }
    std::vector<Statement> body = consumer_.band[depth - 1]->body;
    // Loops of one iteration that only the consumer has stand for 0.
    for (size_t i = depth; i < consumer_.band.size(); ++i)
      if (consumer_.band[i]->extent() == 1)
        loop::substitute(body, consumer_.band[i]->variable, consumer_.band[i]->lower[0]);
    bool ok = true;
    loop::for_each_access(body, [&](Access &access) {
      if (access.buffer == local_.name)
        ok = ok && match_read(access);
    });
    return ok;
  }

  /// Pairs each of the producer's loops with the consumer's that subscripts the same dimension;
  /// what that leaves over, in the order in which they stand.
  void pair_loops() {
    std::vector<const For *> rest(consumer_.band.begin(),
                                  consumer_.band.begin() +
                                      static_cast<std::ptrdiff_t>(producer_.band.size()));
    std::optional<Access> read;
    loop::for_each_access(consumer_.body(), [&](const Access &access) {
      if (access.buffer == local_.name)
        read = access;
    });
    partners_.assign(producer_.band.size(), nullptr);
    for (size_t i = 0; read && i < partners_.size(); ++i)
      for (size_t dim = 0; dim < read->subscripts.size() && !partners_[i]; ++dim) {
        if (!written()->subscripts[dim].uses(producer_.band[i]->variable))
          continue;
        auto found = std::find_if(rest.begin(), rest.end(), [&](const For *loop) {
          return read->subscripts[dim].uses(loop->variable);
        });
        if (found == rest.end())
          continue;
        partners_[i] = *found;
        rest.erase(found);
      }
    for (const For *&partner : partners_)
      if (!partner) {
        partner = rest.front();
        rest.erase(rest.begin());
      }
  }

  /// Replaces each producer variable in the written subscripts by window * consumer variable +
  /// offset and compares with the read. The offsets are the loops of extent `window` that the
  /// reader uses.
  bool match_read(const Access &read) {
    loop::Replacements values;
    for (size_t i = 0; i < splits_.size(); ++i) {
      Split &split = splits_[i];
      Index value = Index::variable(partners_[i]->variable) * split.window;
      if (split.window > 1) {
        if (split.offset.empty())
          split.offset = find_offset(read, i);
        if (split.offset.empty())
          return false;
        value = value + Index::variable(split.offset);
      }
      values.emplace_back(producer_.band[i]->variable, value);
    }
    std::vector<Index> expected = written()->subscripts;
    for (Index &subscript : expected)
      subscript = loop::substitute(subscript, values);
    return expected == read.subscripts;
  }

  /// The window's loop variable in the subscript that holds the consumer's variable.
  std::string find_offset(const Access &read, size_t i) const {
    for (const Index &subscript : read.subscripts) {
      if (!subscript.uses(partners_[i]->variable))
        continue;
      for (const loop::Term &term : subscript.terms)
        if (term.kind == loop::Term::Kind::variable && term.factor == 1 &&
            term.variable != partners_[i]->variable)
          return term.variable;
    }
    return "";
  }

  void merge() {
    size_t depth = producer_.band.size();
    std::vector<Statement> producer_body = producer_.body();
    std::vector<Statement> consumer_body = consumer_.band[depth - 1]->body;
    loop::Replacements producer_values, consumer_values;
    std::vector<Index> written_at, read_at; // subscripts of the register
    std::vector<int64_t> shape;
    std::vector<std::pair<std::string, int64_t>> loops, parts;
    for (size_t i = 0; i < depth; ++i) {
      const std::string &variable = producer_.band[i]->variable;
      loops.emplace_back(variable, *partners_[i]->extent());
      consumer_values.emplace_back(partners_[i]->variable, Index::variable(variable));
      if (splits_[i].window == 1)
        continue;
      Index part = Index::variable(variable + ".p");
      producer_values.emplace_back(variable, Index::variable(variable) * splits_[i].window + part);
      parts.emplace_back(variable + ".p", splits_[i].window);
      shape.push_back(splits_[i].window);
      written_at.push_back(part);
      read_at.push_back(Index::variable(splits_[i].offset));
      loop::unroll_loop(consumer_body, splits_[i].offset);
    }
    loop::substitute(producer_body, producer_values);
    loop::substitute(consumer_body, consumer_values);
    replace_local(producer_body, written_at);
    replace_local(consumer_body, read_at);
    std::vector<Statement> block = loop::nest(parts, std::move(producer_body));
    for (const auto &[part, extent] : parts)
      loop::unroll_loop(block, part);
    std::vector<Statement> body;
    body.push_back(
        loop::make_register(local_.name, shape, register_of(kernel_, local_, consumer_body)));
    for (std::vector<Statement> *half : {&block, &consumer_body})
      for (Statement &statement : *half)
        body.push_back(std::move(statement));
    kernel_.body[consumer_.position] = std::move(loop::nest(loops, std::move(body)).front());
    kernel_.body.erase(kernel_.body.begin() + static_cast<std::ptrdiff_t>(producer_.position));
  }

  void replace_local(std::vector<Statement> &body, const std::vector<Index> &elements) const {
    loop::for_each_access(body, [&](Access &access) {
      if (access.buffer == local_.name)
        access.subscripts = elements;
    });
  }

  Kernel &kernel_;
  const loop::Buffer local_;
  Nest producer_, consumer_;
  std::vector<const For *> partners_; // the consumer's loop for each of the producer's
  std::vector<Split> splits_;
};

/// Joined nests have the loops of the one that comes first. What the ops of a kernel read besides
/// the value that they hand on is joined to them before that, so that the kernel ends with the loops
/// of its first op, which its schedule names.
void move_side_operands_first(Kernel &kernel) {
  std::set<std::string> handed_on; // made from what the first op gives
  for (const Statement &nest : kernel.body) {
    const std::set<std::string> written = loop::writes(std::span(&nest, 1));
    const std::set<std::string> read = loop::reads(std::span(&nest, 1));
    const bool first =
        handed_on.empty() && std::ranges::any_of(kernel.locals, [&](const loop::Buffer &local) {
          return written.contains(local.name);
        });
    if (first || std::ranges::any_of(
                     read, [&](const std::string &name) { return handed_on.contains(name); }))
      handed_on.insert(written.begin(), written.end());
  }
  std::ranges::stable_partition(
      kernel.locals, [&](const loop::Buffer &local) { return !handed_on.contains(local.name); });
}

} // namespace

bool fuse_loops(Kernel &kernel, PassContext &context) {
  if (kernel.locals.empty())
    return true;
  loop::make_registers_unique(kernel);
  move_side_operands_first(kernel);
  while (!kernel.locals.empty()) {
    auto fused =
        std::find_if(kernel.locals.begin(), kernel.locals.end(), [&](const loop::Buffer &local) {
          return Fusion(kernel, local).run() || fuse_at_stores(kernel, local);
        });
    if (fused == kernel.locals.end()) {
      context.diagnostics.error(
          kernel.range, fmt::format("kernel @{}: the loops that write and read {} cannot be joined",
                                    kernel.name, kernel.locals[0].name));
      return false;
    }
    kernel.locals.erase(fused);
  }
  return true;
}

} // namespace cnnc
