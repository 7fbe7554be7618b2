// Leaves out the padding of a convolution that is many times its input: halos are memory.
//
//   %c = conv2d %x, %w, %b pad=[0, 500, 0, 500]
// becomes
//   %c.seen = conv2d %x, %w pad=[0, 2, 0, 2]
//   %c.sums = pad %c.seen before=[0, 0, 0, 498] after=[0, 0, 0, 498]
//   %c.bias = reshape %b shape=[1, 4, 1, 1]
//   %c = add %c.sums, %c.bias
//
// Results whose whole window is padding are the bias. So are rows and columns of a filter that see
// padding at every position of the result, in atrous convolutions, no part of it:
//
//   %d = conv2d %x, %w pad=[600, 600, 600, 600] dilation=[600, 600]
// becomes
//   %d.filter = slice %w starts=[1, 1] ends=[2, 2] axes=[2, 3]
//   %d = conv2d %x, %d.filter
//
// Nor are they of a dilated max_pool2d, whose padding is memory, too. The sums are the same, but for
// the zeros. Ordinary padding stays: halos cost next to nothing.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>

namespace cnnc {

namespace {

/// One dimension of a convolution, and what is cut off its filter and its result.
struct Axis {
  int64_t input, kernel, output, stride, dilation;
  int64_t before, after;                     // padding
  int64_t first_tap = 0;                     // of those that stay
  int64_t first_result = 0, results_cut = 0; // results before those that stay, and behind them

  bool is_mostly_padding() const { return before + after > 4 * std::max<int64_t>(input, 16); }

  /// Taps at the ends that meet the input nowhere.
  void cut_taps() {
    const int64_t last_start = (output - 1) * stride; // of windows
    int64_t first = std::clamp<int64_t>(ceil_div(before - last_start, dilation), 0, kernel - 1);
    first = std::min(first, before / dilation);
    int64_t last = std::clamp<int64_t>((before + input - 1) / dilation, first, kernel - 1);
    last = std::max(last, kernel - 1 - after / dilation);
    first_tap = first;
    before -= first * dilation;
    after -= (kernel - 1 - last) * dilation;
    kernel = last - first + 1;
  }

  /// Results at the ends whose windows lie before or behind the input.
  void cut_results() {
    const int64_t extent = (kernel - 1) * dilation + 1;
    int64_t first = std::clamp<int64_t>(ceil_div(before - extent + 1, stride), 0, output - 1);
    first = std::min(first, before / stride);
    int64_t last = std::clamp<int64_t>((before + input - 1) / stride, first, output - 1);
    last = std::max(last, output - 1 - after / stride);
    first_result = first;
    results_cut = output - 1 - last;
    before -= first * stride;
    after -= results_cut * stride;
    output = last - first + 1;
  }
};

using Axes = std::array<Axis, 2>;

Axes axes_of(const Graph &graph, const Node &node, const Conv2d &conv) {
  auto shape = [&](ValueId id, size_t i) { return graph.type(id).shape[2 + i]; };
  Axes axes = {};
  for (size_t i = 0; i < 2; ++i)
    axes[i] = {shape(node.operands[0], i),
               shape(node.operands[1], i),
               shape(node.results[0], i),
               conv.stride[i],
               conv.dilation[i],
               conv.pad[i],
               conv.pad[2 + i]};
  return axes;
}

class Trimmer {
public:
  Trimmer(Graph &graph, NodeId id, const Axes &axes)
      : graph_(graph), id_(id), conv_(std::get<Conv2d>(graph.nodes[id].op)),
        operands_(graph.nodes[id].operands), name_(graph.value(graph.nodes[id].results[0]).name),
        axes_(axes) {
    for (Axis &axis : axes_)
      if (axis.is_mostly_padding()) {
        axis.cut_taps();
        axis.cut_results();
      }
  }

  void run() {
    Conv2d trimmed = conv_;
    trimmed.pad = {axes_[0].before, axes_[1].before, axes_[0].after, axes_[1].after};
    if (trimmed.pad == conv_.pad)
      return;
    for (size_t i = 0; i < 2; ++i)
      if (axes_[i].kernel == 1)
        trimmed.dilation[i] = 1;
    cut_filter();
    const bool cuts_results = std::ranges::any_of(
        axes_, [](const Axis &axis) { return axis.first_result + axis.results_cut > 0; });
    if (!cuts_results) {
      graph_.redefine(id_, trimmed, operands_);
      return;
    }
    const std::vector<ValueId> bias(operands_.begin() + 2, operands_.end());
    operands_.resize(2);
    Pad pad;
    pad.before = {0, 0, axes_[0].first_result, axes_[1].first_result};
    pad.after = {0, 0, axes_[0].results_cut, axes_[1].results_cut};
    const ValueId seen = add(trimmed, operands_, ".seen");
    if (bias.empty()) {
      graph_.redefine(id_, pad, {seen});
      return;
    }
    const ValueId sums = add(pad, {seen}, ".sums");
    const int64_t channels = graph_.type(bias.front()).shape[0];
    const ValueId added = add(Reshape{{1, channels, 1, 1}}, bias, ".bias");
    graph_.redefine(id_, Binary{binary::add}, {sums, added});
  }

private:
  ValueId add(Op op, std::vector<ValueId> operands, const std::string &suffix) {
    return add_inferred(graph_, std::move(op), std::move(operands),
                        graph_.unique_value_name(name_ + suffix));
  }

  void cut_filter() {
    const std::vector<int64_t> &filter = graph_.type(operands_[1]).shape;
    if (axes_[0].kernel == filter[2] && axes_[1].kernel == filter[3])
      return;
    Slice taps{{axes_[0].first_tap, axes_[1].first_tap}, {}, {2, 3}, {}};
    for (const Axis &axis : axes_)
      taps.ends.push_back(axis.first_tap + axis.kernel);
    operands_[1] = add(taps, {operands_[1]}, ".filter");
  }

  Graph &graph_;
  NodeId id_;
  const Conv2d conv_; // a copy, as the node becomes another op
  std::vector<ValueId> operands_;
  const std::string name_;
  Axes axes_;
};

bool trim_convolution(Graph &graph, NodeId id, const Conv2d &conv) {
  const Axes axes = axes_of(graph, graph.nodes[id], conv);
  if (conv.winograd > 0 || conv.zero_point != 0 ||
      std::ranges::none_of(axes, &Axis::is_mostly_padding))
    return false;
  Trimmer(graph, id, axes).run();
  return true;
}

/// Only dilated pools lie in memory with their padding.
bool trim_pool(Graph &graph, NodeId id) {
  const Node &node = graph.nodes[id];
  MaxPool2d pool = std::get<MaxPool2d>(node.op);
  const std::vector<int64_t> &input = graph.type(node.operands[0]).shape;
  const std::vector<int64_t> &output = graph.type(node.results[0]).shape;
  for (size_t i = 0; i < 2; ++i) {
    Axis axis = {input[2 + i],     pool.kernel[i], output[2 + i],  pool.stride[i],
                 pool.dilation[i], pool.pad[i],    pool.pad[2 + i]};
    if (pool.dilation[i] == 1 || pool.ceil_mode || !axis.is_mostly_padding())
      continue;
    axis.cut_taps();
    pool.kernel[i] = axis.kernel;
    pool.pad[i] = axis.before;
    pool.pad[2 + i] = axis.after;
    pool.dilation[i] = axis.kernel == 1 ? 1 : pool.dilation[i];
  }
  if (pool.pad == std::get<MaxPool2d>(node.op).pad)
    return false;
  graph.redefine(id, pool, node.operands);
  return true;
}

} // namespace

bool trim_padding(Graph &graph, PassContext &context) {
  bool changed = false;
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    const Node &node = graph.nodes[id];
    const auto *conv = std::get_if<Conv2d>(&node.op);
    if (node.kernel != no_id || !(conv || std::holds_alternative<MaxPool2d>(node.op)))
      continue;
    const TensorType &type = graph.type(node.results[0]);
    if (!type.layout.plain() || is_empty(type))
      continue;
    changed |= conv ? trim_convolution(graph, id, *conv) : trim_pool(graph, id);
  }
  context.unchanged = !changed;
  return !changed || graph.sort();
}

} // namespace cnnc
