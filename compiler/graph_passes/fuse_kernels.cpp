// Op fusion: groups the ops into kernels, each of which becomes one loop nest. A convolution, dense
// layer or product of matrices takes along the element-wise ops behind it and a 2x2 pool, or a
// depth_to_space that moves whole vectors of channels; element-wise ops form kernels of their own.
//
//   %c = conv2d %x, %w, %b ...            kernel @c(%x, %w, %b) -> (%p) {
//   %s = add %c, %x                         %c = conv2d %x, %w, %b ... : f32[1, 8, 6, 6]
//   %r = relu %s                     =>     %s = add %c, %x : f32[1, 8, 6, 6]
//   %p = max_pool2d %r ...                  %r = relu %s : f32[1, 8, 6, 6]
//                                           %p = max_pool2d %r ... : f32[1, 8, 3, 3]
//                                         }
//
// A group grows from its last value to the immediate post-dominator of that value's op, when
// everything between the two can join. So every member reaches the last one and only that one is
// read outside. Groups of this shape are convex, and no two of them can wait for each other: a
// cycle of groups would be one of ops. A group has 64 ops at most, since the loop passes look at
// each of them once for every other, and a kernel of that size has long hidden what it loads and
// stores; a longer chain is several kernels.
//
// A concat or split of more than 128 values is done in two steps, because a kernel has room for 256
// buffers, and a tree of views costs nothing.

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/views.h"
#include "compiler/pass/kernel_name.h"
#include "compiler/pass/repeat_dequantize.h"
#include "compiler/pass/split_wide.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dominator_tree.hpp>
#include <cassert>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// Ops whose loops take along the element-wise ops behind them: sums in register tiles.
bool is_anchor(const Op &op) {
  return category_of(op) == Category::convolution || category_of(op) == Category::matrix_product;
}
bool is_elementwise(const Op &op) { return category_of(op) == Category::elementwise; }

constexpr size_t most_members = 64; // of a kernel

/// For each node the op through which everything passes on its way to the outputs of the model;
/// no_id where there is none.
std::vector<NodeId> immediate_post_dominators(const Graph &graph) {
  // Dominators of the reversed graph, entered by a virtual exit.
  using Reversed = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS>;
  size_t exit = graph.nodes.size();
  Reversed reversed(exit + 1);
  for (NodeId id = 0; id < exit; ++id) {
    bool leaves = true; // nothing reads it
    for (ValueId result : graph.nodes[id].results) {
      leaves = leaves && graph.value(result).users.empty();
      for (NodeId user : graph.value(result).users)
        add_edge(user, id, reversed);
    }
    for (ValueId result : graph.nodes[id].results)
      leaves = leaves || graph.is_output(result);
    if (leaves)
      add_edge(exit, id, reversed);
  }
  size_t none = boost::graph_traits<Reversed>::null_vertex();
  std::vector<size_t> dominators(exit + 1, none);
  boost::lengauer_tarjan_dominator_tree(
      reversed, exit,
      boost::make_iterator_property_map(dominators.begin(), get(boost::vertex_index, reversed)));
  std::vector<NodeId> result(exit, no_id);
  for (NodeId id = 0; id < exit; ++id)
    if (dominators[id] < exit)
      result[id] = static_cast<NodeId>(dominators[id]);
  return result;
}

class Fusion {
public:
  Fusion(Graph &graph, int64_t lanes)
      : graph_(graph), lanes_(lanes), post_dominator_(immediate_post_dominators(graph)),
        leads_to_(graph.nodes.size(), no_id) {}

  void run() {
    // The last convolution first: of two that an add joins, it takes the add, and the other is
    // computed before.
    for (NodeId id = node_count(); id-- > 0;)
      if (is_free(id) && is_anchor(op(id)))
        grow_anchor(id);
    for (NodeId id = 0; id < node_count(); ++id)
      if (is_free(id) && !is_elementwise(op(id))) {
        start(id);
        if (category_of(op(id)) == Category::pool)
          take_unary_ops(id);
      }
    for (NodeId id = node_count(); id-- > 0;)
      if (is_free(id))
        gather_elementwise(id);
    add_kernels();
  }

  /// What every kernel consists of, and why of no more.
  void tell(const PassContext &context) const {
    const std::vector<std::vector<NodeId>> members = kernel_members(graph_);
    for (KernelId id = 0; id < members.size(); ++id) {
      std::string ops;
      for (NodeId member : members[id])
        ops += (ops.empty() ? "" : " + ") + info_of(op(member)).name;
      context.recorder("fuse_kernels", graph_.kernels[id].name)
          .note("fusion", ops, why_no_more(members[id]));
    }
  }

private:
  NodeId node_count() const { return static_cast<NodeId>(graph_.nodes.size()); }
  const Op &op(NodeId id) const { return graph_.nodes[id].op; }
  ValueId result(NodeId id) const { return graph_.nodes[id].results[0]; }
  const TensorType &type(NodeId id) const { return graph_.type(result(id)); }
  const std::vector<NodeId> &users(NodeId id) const { return graph_.value(result(id)).users; }

  /// Does work and is in no kernel yet.
  bool is_free(NodeId id) const {
    const Node &node = graph_.nodes[id];
    return node.kernel == no_id && !std::holds_alternative<Call>(node.op) &&
           !graph_.is_constant(node.results[0]) && !is_view(graph_, node);
  }

  /// A group that add_kernels() makes a kernel of, numbered behind the kernels there are.
  KernelId start(NodeId id) {
    auto group = static_cast<KernelId>(graph_.kernels.size() + starts_.size());
    starts_.push_back(id);
    sizes_.push_back(0);
    join(id, group);
    return group;
  }

  void join(NodeId id, KernelId group) {
    graph_.nodes[id].kernel = group;
    ++sizes_[group - graph_.kernels.size()];
  }
  /// How many ops have still room in a group.
  size_t room(KernelId group) const {
    return most_members - std::min(most_members, sizes_[group - graph_.kernels.size()]);
  }

  void grow_anchor(NodeId anchor) {
    KernelId kernel = start(anchor);
    NodeId tail = anchor;
    while (std::optional<std::vector<NodeId>> step = elementwise_step(tail, room(kernel))) {
      for (NodeId id : *step)
        join(id, kernel);
      tail = post_dominator_[tail];
      // The anchor stays the first member: it is what the loops are of.
      take_operands(*step, kernel, anchor);
    }
    std::optional<NodeId> user = only_user(tail);
    if (!user || !is_free(*user) || room(kernel) == 0)
      return;
    if (is_exact_pool(*user) && tiles_hold_windows(anchor)) {
      join(*user, kernel);
      take_unary_ops(*user);
    } else if (moves_vectors(anchor, *user)) {
      join(*user, kernel);
    }
  }

  /// A depth_to_space of a convolution in blocks of channels: each vector of channels becomes one
  /// of a pixel, and is stored there.
  bool moves_vectors(NodeId anchor, NodeId id) const {
    const auto *conv = std::get_if<Conv2d>(&op(anchor));
    const auto *shuffle = std::get_if<DepthToSpace>(&op(id));
    return conv && conv->winograd <= 0 && conv->groups == 1 && shuffle &&
           shuffle->mode == DepthOrder::dcr && shuffle->crop == std::array<int64_t, 4>{} &&
           type(id).shape[1] % lanes_ == 0;
  }

  /// The nodes from `tail` to its immediate post-dominator, without the first, if all can join its
  /// kernel and are no more than `most`.
  std::optional<std::vector<NodeId>> elementwise_step(NodeId tail, size_t most) const {
    NodeId end = post_dominator_[tail];
    if (end == no_id || most == 0)
      return std::nullopt;
    std::vector<NodeId> region = {end}, open = {tail};
    std::vector<NodeId> seen = {tail, end};
    while (!open.empty()) {
      NodeId id = open.back();
      open.pop_back();
      for (NodeId user : users(id))
        if (std::find(seen.begin(), seen.end(), user) == seen.end()) {
          if (region.size() == most || !can_join(user, tail))
            return std::nullopt;
          seen.push_back(user);
          region.push_back(user);
          open.push_back(user);
        }
    }
    return can_join(end, tail) ? std::optional(std::move(region)) : std::nullopt;
  }

  bool can_join(NodeId id, NodeId tail) const {
    return is_free(id) && is_elementwise(op(id)) && type(id).shape == type(tail).shape &&
           type(id).layout == type(tail).layout;
  }

  std::optional<NodeId> only_user(NodeId id) const {
    if (graph_.is_output(result(id)) || users(id).size() != 1)
      return std::nullopt;
    return users(id).front();
  }

  /// A pool of 2x2 windows that cut the plane into equal parts, so that a tile of a convolution
  /// holds whole windows.
  bool is_exact_pool(NodeId id) const {
    auto exact = [&](const auto &pool) {
      const std::vector<int64_t> &shape = graph_.type(graph_.nodes[id].operands[0]).shape;
      std::array<int64_t, 2> two = {2, 2};
      return pool.kernel == two && pool.stride == two && pool.pad == std::array<int64_t, 4>{} &&
             !pool.ceil_mode && shape[2] % 2 == 0 && shape[3] % 2 == 0;
    };
    if (const MaxPool2d *pool = std::get_if<MaxPool2d>(&op(id)))
      return exact(*pool) && pool->dilation == std::array<int64_t, 2>{1, 1};
    const AvgPool2d *pool = std::get_if<AvgPool2d>(&op(id));
    return pool && exact(*pool);
  }

  /// Whether output tiles hold whole 2x2 windows: those of a product of matrices do not care, those
  /// of convolutions that leave out padding have one row, those of Winograd do where they cut the
  /// plane into equal parts.
  bool tiles_hold_windows(NodeId anchor) const {
    if (std::holds_alternative<Matmul>(op(anchor)))
      return false;
    const auto *conv = std::get_if<Conv2d>(&op(anchor));
    if (!conv)
      return true;
    const std::vector<int64_t> &shape = type(anchor).shape;
    if (conv->winograd <= 0)
      return conv->padded_rows != PaddedRows::skip;
    return conv->winograd % 2 == 0 && shape[2] % conv->winograd == 0 &&
           shape[3] % conv->winograd == 0;
  }

  void take_unary_ops(NodeId tail) {
    KernelId kernel = graph_.nodes[tail].kernel;
    for (std::optional<NodeId> next = only_user(tail);
         next && room(kernel) > 0 && std::holds_alternative<Unary>(op(*next)) &&
         can_join(*next, tail);
         next = only_user(tail)) {
      join(*next, kernel);
      tail = *next;
    }
  }

  /// One kernel of a last element-wise op and of those before it that nobody outside reads.
  void gather_elementwise(NodeId last) { take_operands({last}, start(last), 0); }

  /// The element-wise ops before these members of a kernel, and behind `first` in the text, that
  /// nobody outside reads. What leads to two of these members, of this call or one before, would
  /// stand between the anchor and the first of them, and stays outside.
  void take_operands(std::vector<NodeId> open, KernelId kernel, NodeId first) {
    const NodeId last = open.back();
    for (NodeId id : open)
      leads_to_[id] = id;
    while (!open.empty()) {
      NodeId id = open.back();
      open.pop_back();
      for (ValueId operand : graph_.nodes[id].operands) {
        NodeId producer = graph_.values[operand].producer;
        if (producer == no_id || producer < first || room(kernel) == 0 ||
            !can_join(producer, last) || is_read_outside(producer, kernel) ||
            !std::ranges::all_of(users(producer),
                                 [&](NodeId user) { return leads_to_[user] == leads_to_[id]; }))
          continue;
        leads_to_[producer] = leads_to_[id];
        join(producer, kernel);
        open.push_back(producer);
      }
    }
  }

  bool is_read_outside(NodeId id, KernelId kernel) const {
    return graph_.is_output(result(id)) ||
           std::any_of(users(id).begin(), users(id).end(),
                       [&](NodeId user) { return graph_.nodes[user].kernel != kernel; });
  }

  /// Makes kernels of the groups, in the order of the text.
  void add_kernels() {
    const auto first_group = static_cast<KernelId>(graph_.kernels.size());
    std::vector<KernelId> kernel_of(starts_.size(), no_id);
    for (Node &node : graph_.nodes) {
      if (node.kernel == no_id || node.kernel < first_group)
        continue;
      KernelId group = node.kernel - first_group;
      if (kernel_of[group] == no_id)
        kernel_of[group] =
            graph_.add_kernel(kernel_name_of(graph_.value(result(starts_[group])).name));
      node.kernel = kernel_of[group];
    }
  }

  /// What keeps the readers of a kernel's last value out of it.
  std::string why_no_more(const std::vector<NodeId> &members) const {
    const NodeId tail = members.back();
    const std::vector<NodeId> &readers = users(tail);
    if (graph_.is_output(result(tail)))
      return "its result is an output of the model";
    if (members.size() >= most_members)
      return fmt::format("a kernel has {} ops at most", most_members);
    if (readers.size() == 1)
      return why_not(readers.front(), members);
    std::string names;
    for (NodeId reader : readers)
      names += (names.empty() ? "" : ", ") + spelt(reader);
    if (post_dominator_[tail] == no_id)
      return fmt::format("{} ops read it ({}), whose results do not meet", readers.size(), names);
    for (NodeId reader : readers)
      if (!is_elementwise(op(reader)))
        return fmt::format("{} ops read it ({}), and {}", readers.size(), names,
                           why_not(reader, members));
    return fmt::format("{} ops read it ({}), and not all up to {} can join", readers.size(), names,
                       spelt(post_dominator_[tail]));
  }

  /// What keeps an op out of a kernel whose last value it reads.
  std::string why_not(NodeId id, const std::vector<NodeId> &members) const {
    const NodeId anchor = members.front();
    const Node &node = graph_.nodes[id];
    const std::string name = spelt(id);
    if (std::holds_alternative<Call>(node.op))
      return fmt::format("{} calls loops of the user", name);
    if (is_anchor(node.op))
      return fmt::format("{} has sums of its own, in register tiles of another shape", name);
    if (node.kernel == no_id)
      return fmt::format("{} moves nothing: it is a view", name);
    if (is_exact_pool(id))
      return tiles_hold_windows(anchor)
                 ? fmt::format("only convolutions and dense layers take {} along", name)
                 : fmt::format("tiles of the result do not hold whole windows of {}", name);
    if (category_of(node.op) == Category::pool)
      return fmt::format("the windows of {} are not 2x2 and side by side in equal parts", name);
    if (!is_elementwise(node.op))
      return fmt::format("{} is not element by element", name);
    if (type(id).shape != type(members.back()).shape)
      return fmt::format("{} has another shape", name);
    return fmt::format("{} is in @{}, whose last operand comes later", name,
                       format_name(graph_.kernels[node.kernel].name));
  }

  /// `relu %r`
  std::string spelt(NodeId id) const {
    return fmt::format("{} %{}", info_of(op(id)).name, format_name(graph_.value(result(id)).name));
  }

  Graph &graph_;
  int64_t lanes_;
  std::vector<NodeId> post_dominator_;
  std::vector<NodeId> leads_to_; // of a member that take_operands() knows: one that it began with
  std::vector<NodeId> starts_;   // of the groups: a kernel is named after what this op computes
  std::vector<size_t> sizes_;    // of the groups
};

} // namespace

bool fuse_kernels(Graph &graph, PassContext &context) {
  if (split_wide_ops(graph))
    graph.sort();
  repeat_dequantize(graph);
  Fusion fusion(graph, context.machine.vector_lanes);
  fusion.run();
  if (context.decisions)
    fusion.tell(context);
  [[maybe_unused]] bool convex = graph.sort();
  assert(convex && "kernels wait for each other");
  graph.erase_nodes(
      std::vector<bool>(graph.nodes.size(), false)); // numbers kernels as a parser would
  return true;
}

} // namespace cnnc
