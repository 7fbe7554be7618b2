// Inputs of 16 bits for sums of products, where the CPU has no products of bytes.
//
//   %c.sums = conv2d %x.q, %w.q, %c.offset
// becomes
//   %x.q.wide = cast %x.q to=i16
//   %c.sums = conv2d %x.q.wide, %w.q, %c.offset
//
// One instruction multiplies pairs of 16 bits and adds the products of each pair, exactly. The cast
// joins the kernel that computes %x.q, so that a number is widened once, and not by every kernel
// and tile of output channels that reads it. Filters stay i8: one vector of them is widened for all
// pixels of a register tile. Nothing changes where the CPU has an instruction for products of bytes,
// and for convolutions that take channels one by one, as depthwise ones do.
//
// What else reads %x.q does so where it is written anyway, as by a kernel that dequantizes it: a
// value is written as i16 alone where all its readers can take that. A concat is one of i16.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/dot_filters.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <map>

namespace cnnc {

namespace {

class Widening {
public:
  Widening(Graph &graph, int64_t lanes) : graph_(graph), lanes_(lanes) {}

  bool run() {
    bool changed = false;
    for (NodeId id = 0, count = static_cast<NodeId>(graph_.nodes.size()); id < count; ++id) {
      if (!multiplies_bytes(graph_.nodes[id]))
        continue;
      const ValueId narrow = graph_.nodes[id].operands[0];
      const bool all = all_readers_take_words(narrow);
      const ValueId wide = widened(narrow);
      graph_.set_operand(id, 0, wide);
      if (all)
        for (NodeId reader : std::vector(graph_.value(narrow).users))
          if (std::holds_alternative<Dequantize>(graph_.nodes[reader].op))
            graph_.set_operand(reader, 0, wide);
      changed = true;
    }
    return changed;
  }

private:
  /// A sum of products of bytes that takes four channels at a time.
  bool multiplies_bytes(const Node &node) const {
    return node.kernel == no_id && dot_width(graph_, node, lanes_) == 4 &&
           graph_.type(node.operands[1]).dtype == DType::i8 &&
           !graph_.is_constant(node.operands[0]);
  }

  bool all_readers_take_words(ValueId value) const {
    return !graph_.is_output(value) &&
           std::ranges::all_of(graph_.value(value).users, [&](NodeId reader) {
             const Node &node = graph_.nodes[reader];
             const bool dequantized = node.kernel == no_id && node.operands.size() == 1 &&
                                      std::holds_alternative<Dequantize>(node.op);
             return dequantized || multiplies_bytes(node);
           });
  }

  ValueId widened(ValueId value) {
    if (auto known = widened_.find(value); known != widened_.end())
      return known->second;
    const std::string name = graph_.unique_value_name(graph_.value(value).name + ".wide");
    const Node *producer = producer_of(graph_, value);
    const auto *concat = producer && producer->kernel == no_id && all_readers_take_words(value)
                             ? std::get_if<Concat>(&producer->op)
                             : nullptr;
    ValueId wide = no_id;
    if (concat) {
      const Op op = *concat;
      std::vector<ValueId> parts = producer->operands; // a copy: nodes are added
      for (ValueId &part : parts)
        part = widened(part);
      wide = add_inferred(graph_, op, std::move(parts), name);
    } else
      wide = add_inferred(graph_, Cast{CastType::i16}, {value}, name);
    return widened_[value] = wide;
  }

  Graph &graph_;
  int64_t lanes_;
  std::map<ValueId, ValueId> widened_;
};

} // namespace

bool widen_integers(Graph &graph, PassContext &context) {
  const bool changed =
      !context.machine.byte_products && Widening(graph, context.machine.vector_lanes).run();
  context.unchanged = !changed;
  if (!changed)
    return true;
  const bool sorted = graph.sort();
  graph.erase_dead_nodes();
  return sorted;
}

} // namespace cnnc
