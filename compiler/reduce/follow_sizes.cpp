#include "compiler/reduce/follow_sizes.h"

#include "compiler/reduce/stated_types.h"

#include <algorithm>
#include <numeric>

namespace cnnc {

bool has_free_size(const Graph &graph, ValueId id) {
  return graph.is_input(id) || is_one_of<Splat, Random>(graph.nodes[graph.value(id).producer].op);
}

namespace {

/// One node, whose operands have their new types.
class Follower {
public:
  Follower(Graph &graph, const Graph &before, Node &node)
      : graph_(graph), before_(before), node_(node) {}

  void follow() {
    if (Conv2d *conv = std::get_if<Conv2d>(&node_.op))
      follow(*conv);
    else if (ConvTranspose2d *transposed = std::get_if<ConvTranspose2d>(&node_.op))
      follow(*transposed);
    else if (std::holds_alternative<Dense>(node_.op))
      follow_dense();
    else if (is_one_of<BatchNorm, InstanceNorm, GroupNorm>(node_.op))
      follow_channels();
    else if (Reshape *reshape = std::get_if<Reshape>(&node_.op))
      follow(*reshape);
    else if (Split *split = std::get_if<Split>(&node_.op))
      follow(*split);
    else if (Resize2d *resize = std::get_if<Resize2d>(&node_.op))
      follow(*resize);
    else if (std::holds_alternative<Matmul>(node_.op))
      follow_product();
    else if (traits_of(node_.op).broadcasts || is_one_of<Concat, LayerNorm>(node_.op))
      follow_each_other();
  }

private:
  const std::vector<int64_t> &shape(size_t operand) const {
    return graph_.type(node_.operands[operand]).shape;
  }
  const std::vector<int64_t> &old_shape(size_t operand) const {
    return before_.type(node_.operands[operand]).shape;
  }
  /// Changes an operand whose size is free; others stay.
  void set_dim(size_t operand, size_t axis, int64_t size) {
    if (operand < node_.operands.size() && has_free_size(graph_, node_.operands[operand]) &&
        axis < shape(operand).size())
      graph_.value(node_.operands[operand]).type->shape[axis] = size;
  }

  void follow(Conv2d &conv) {
    const int64_t before = old_shape(0)[1], channels = shape(0)[1];
    if (conv.groups > 1 && conv.groups == before) { // depthwise
      set_dim(1, 0, old_shape(1)[0] / before * channels);
      conv.groups = channels;
    }
    conv.groups = std::gcd(conv.groups, std::gcd(channels, shape(1)[0]));
    set_dim(1, 1, channels / conv.groups);
    set_dim(2, 0, shape(1)[0]);
  }

  void follow(ConvTranspose2d &conv) {
    const int64_t channels = shape(0)[1];
    conv.groups = std::gcd(conv.groups, channels);
    set_dim(1, 0, channels);
    set_dim(2, 0, shape(1)[1] * conv.groups);
  }

  void follow_dense() {
    set_dim(1, 1, shape(0)[1]);
    set_dim(2, 0, shape(1)[0]);
  }

  /// The dimension that is summed over.
  void follow_product() {
    const size_t left = shape(0).size(), right = shape(1).size();
    if (leader() == 0 && right >= 2)
      set_dim(1, right - 2, shape(0).back());
    else if (right >= 2)
      set_dim(0, left - 1, shape(1)[right - 2]);
  }

  void follow_channels() {
    for (size_t i = 1; i < node_.operands.size(); ++i)
      set_dim(i, 0, shape(0)[1]);
  }

  /// Dimensions that were the operand's are so again, from both ends; of the others the largest is
  /// what remains.
  void follow(Reshape &reshape) {
    const std::vector<int64_t> &from = old_shape(0), &to = shape(0);
    std::vector<int64_t> &sizes = reshape.shape;
    if (from == to)
      return;
    size_t first = 0, last = 0; // so many from the beginning, and from the end
    while (first < sizes.size() && first < from.size() && sizes[first] == from[first]) {
      sizes[first] = to[first];
      ++first;
    }
    while (first + last < sizes.size() && first + last < from.size() &&
           sizes[sizes.size() - 1 - last] == from[from.size() - 1 - last]) {
      sizes[sizes.size() - 1 - last] = to[to.size() - 1 - last];
      ++last;
    }
    const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = sizes.end() - static_cast<std::ptrdiff_t>(last);
    if (middle != end && std::ranges::find(sizes, -1) == sizes.end())
      *std::max_element(middle, end) = -1;
  }

  void follow(Split &split) {
    const std::optional<size_t> axis = normalized_axis(split.axis, shape(0).size());
    for (int64_t &size : split.sizes)
      if (axis && old_shape(0)[*axis] > 0)
        size = size * shape(0)[*axis] / old_shape(0)[*axis];
  }

  void follow(Resize2d &resize) {
    for (size_t i = 0; i < resize.sizes.size(); ++i)
      if (old_shape(0).size() == 4 && old_shape(0)[2 + i] > 0)
        resize.sizes[i] =
            std::max<int64_t>(1, resize.sizes[i] * shape(0)[2 + i] / old_shape(0)[2 + i]);
  }

  /// The operand that leads: one that is computed, else the first.
  size_t leader() const {
    for (size_t i = 0; i < node_.operands.size(); ++i)
      if (!has_free_size(graph_, node_.operands[i]))
        return i;
    return 0;
  }

  /// Dimensions in which two operands were alike, counted from the end, are alike again.
  void follow_each_other() {
    const size_t lead = leader();
    for (size_t i = 0; i < node_.operands.size(); ++i)
      for (size_t back = 1; back <= std::min(old_shape(i).size(), old_shape(lead).size()); ++back)
        if (i != lead && follows_in(back, i) &&
            old_shape(i)[old_shape(i).size() - back] ==
                old_shape(lead)[old_shape(lead).size() - back])
          set_dim(i, old_shape(i).size() - back, shape(lead)[shape(lead).size() - back]);
  }

  /// Not in the dimension along which tensors are joined.
  bool follows_in(size_t back, size_t operand) const {
    const Concat *concat = std::get_if<Concat>(&node_.op);
    const size_t rank = old_shape(operand).size();
    return !concat || normalized_axis(concat->axis, rank) != rank - back;
  }

  Graph &graph_;
  const Graph &before_;
  Node &node_;
};

/// False when the ops before have not become right.
bool infer_results(Graph &graph, const Node &node) {
  Diagnostics ignored;
  InferContext context = infer_context(graph, node, ignored);
  InferredTypes types = infer(node.op, context);
  if (!types || types->size() != node.results.size())
    return false;
  for (size_t i = 0; i < types->size(); ++i)
    graph.value(node.results[i]).type = std::move((*types)[i]);
  return true;
}

} // namespace

void follow_sizes(Graph &graph, const Graph &before) {
  for (Node &node : graph.nodes) {
    if (category_of(node.op) == Category::constant)
      continue;
    Follower(graph, before, node).follow();
    if (!infer_results(graph, node))
      return;
  }
  for (Value &value : graph.values)
    if (follows(graph, value))
      value.type.reset();
}

} // namespace cnnc
