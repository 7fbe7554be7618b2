// Writes transposed convolutions with a constant filter as convolutions.
//
//   %y = conv_transpose2d %x, %w, %b stride=[2, 2]
// becomes
//   %y.filter.split = reshape %w shape=[1, 8, 4, 1, 2, 1, 2]
//   %y.filter.phases = transpose %y.filter.split permutation=[4, 6, 0, 2, 1, 3, 5]
//   %y.filter = reshape %y.filter.phases shape=[16, 8, 1, 1]
//   %y.bias = concat %b, %b, %b, %b axis=0
//   %y.phases = conv2d %x, %y.filter, %y.bias : f32[n, 16, 6, 6]
//   %y = depth_to_space %y.phases block=[2, 2] : f32[n, 4, 12, 12]
//
// Output position o is q * stride + phase - pad; what reaches the positions of one phase is a
// convolution of the input with every stride-th element of the filter, backwards. The phases are
// channels of one convolution, and depth_to_space puts them in their places.
//
// Where the kernel is no multiple of the stride, zeros fill it up; what the pads cut off is a crop.
// The phases of groups stand side by side (mode crd). Depthwise convolutions are one for each
// phase, joined by a concat. What is written here about filters is computed once, when the weights
// are stored. Filters that are computed when the model runs stay as they are.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// So many depthwise convolutions for one at most.
constexpr int64_t most_phases = 64;

/// One dimension of the convolution.
struct Axis {
  int64_t stride, taps; // of each phase
  int64_t spread;       // distance of the filter's elements before they are cut into phases
  int64_t dilation;     // of the convolution: with a stride, zeros in the filter instead
  int64_t pad_before, pad_after;
  int64_t crop_before, crop_after; // pixels of the shuffled result
};

Axis axis_of(const ConvTranspose2d &conv, size_t i, int64_t input, int64_t kernel, int64_t output) {
  Axis axis = {};
  axis.stride = conv.stride[i];
  axis.spread = axis.stride > 1 ? conv.dilation[i] : 1;
  axis.dilation = axis.stride > 1 ? 1 : conv.dilation[i];
  axis.taps = ceil_div(axis.spread * (kernel - 1) + 1, axis.stride);
  const int64_t reach = axis.dilation * (axis.taps - 1), pad = conv.pad[i];
  // Positions [first, first + count) of each phase hold those of the output.
  axis.pad_before = std::max<int64_t>(0, reach - pad / axis.stride);
  const int64_t first = reach - axis.pad_before;
  const int64_t last = (pad + output - 1) / axis.stride;
  axis.pad_after = std::max<int64_t>(0, last - first + 1 - input - axis.pad_before + reach);
  const int64_t count = input + axis.pad_before + axis.pad_after - reach;
  axis.crop_before = pad - first * axis.stride;
  axis.crop_after = count * axis.stride - axis.crop_before - output;
  return axis;
}

class Rewriter {
public:
  Rewriter(Graph &graph, NodeId id)
      : graph_(graph), id_(id), conv_(std::get<ConvTranspose2d>(graph.nodes[id].op)),
        input_(graph.nodes[id].operands[0]), name_(graph.value(graph.nodes[id].results[0]).name) {
    const std::vector<int64_t> &filter = graph.type(graph.nodes[id].operands[1]).shape;
    const std::vector<int64_t> &in = graph.type(input_).shape;
    const std::vector<int64_t> &out = graph.type(graph.nodes[id].results[0]).shape;
    each_ = filter[1], channels_ = out[1];
    for (size_t i = 0; i < 2; ++i)
      axes_[i] = axis_of(conv_, i, in[2 + i], filter[2 + i], out[2 + i]);
    phases_ = axes_[0].stride * axes_[1].stride;
    depthwise_ = conv_.groups > 1 && each_ == 1 && filter[0] == conv_.groups && phases_ > 1 &&
                 phases_ <= most_phases;
    order_ = conv_.groups == 1 || depthwise_ ? DepthOrder::dcr : DepthOrder::crd;
  }

  void run() {
    ValueId filter = phases_of_filter(graph_.nodes[id_].operands[1]);
    std::optional<ValueId> bias;
    if (graph_.nodes[id_].operands.size() > 2)
      bias = depthwise_ ? graph_.nodes[id_].operands[2] : phases_of_bias();
    const bool cropped =
        axes_[0].crop_before + axes_[0].crop_after + axes_[1].crop_before + axes_[1].crop_after > 0;
    if (phases_ == 1 && !cropped)
      return graph_.redefine(id_, convolution(), operands(filter, bias));
    ValueId phases =
        depthwise_ ? joined_phases(filter, bias)
                   : add_inferred(graph_, convolution(), operands(filter, bias), name_ + ".phases");
    DepthToSpace shuffle{{axes_[0].stride, axes_[1].stride}, order_, {}};
    shuffle.crop = {axes_[0].crop_before, axes_[1].crop_before, axes_[0].crop_after,
                    axes_[1].crop_after};
    graph_.redefine(id_, shuffle, {phases});
  }

private:
  ValueId add(Op op, ValueId operand, const std::string &suffix) {
    return add_inferred(graph_, std::move(op), {operand}, graph_.unique_value_name(name_ + suffix));
  }

  /// [ic, oc / groups, kh, kw] to [oc * phases, ic / groups, taps, taps].
  ValueId phases_of_filter(ValueId filter) {
    const Axis &y = axes_[0], &x = axes_[1];
    filter = sized(spread(filter));
    const int64_t groups = conv_.groups, ic = graph_.type(filter).shape[0] / groups;
    ValueId split = add(Reshape{{groups, ic, each_, y.taps, y.stride, x.taps, x.stride}}, filter,
                        ".filter.split");
    if (y.taps > 1 || x.taps > 1) // a step of -1: from the last element to the first
      split = add(Slice{{-1, -1}, {-y.taps - 1, -x.taps - 1}, {3, 5}, {-1, -1}}, split,
                  ".filter.backwards");
    std::vector<int64_t> order = order_ == DepthOrder::dcr
                                     ? std::vector<int64_t>{4, 6, 0, 2, 1, 3, 5}
                                     : std::vector<int64_t>{0, 2, 4, 6, 1, 3, 5};
    split = add(Transpose{order}, split, ".filter.phases");
    return add(Reshape{{channels_ * phases_, ic, y.taps, x.taps}}, split, ".filter");
  }

  /// With zeros between the elements of the filter, and behind them.
  ValueId spread(ValueId filter) {
    const int64_t rows = axes_[0].spread, columns = axes_[1].spread;
    if (rows == 1 && columns == 1)
      return filter;
    std::vector<int64_t> shape = graph_.type(filter).shape;
    filter =
        add(Reshape{{shape[0], shape[1], shape[2], 1, shape[3], 1}}, filter, ".filter.elements");
    filter =
        add(Pad{{0, 0, 0, 0, 0, 0}, {0, 0, 0, rows - 1, 0, columns - 1}}, filter, ".filter.apart");
    return add(Reshape{{shape[0], shape[1], shape[2] * rows, shape[3] * columns}}, filter,
               ".filter.spread");
  }

  /// With as many elements as the phases have: zeros behind the others, or without the last zeros.
  ValueId sized(ValueId filter) {
    Pad pad{{0, 0, 0, 0}, {0, 0, 0, 0}};
    Slice cut{{0, 0}, {}, {2, 3}, {}};
    for (size_t i = 0; i < 2; ++i) {
      int64_t wanted = axes_[i].taps * axes_[i].stride, size = graph_.type(filter).shape[2 + i];
      pad.after[2 + i] = std::max<int64_t>(0, wanted - size);
      cut.ends.push_back(std::min(wanted, size));
    }
    if (std::vector<int64_t> shape = graph_.type(filter).shape;
        cut.ends[0] < shape[2] || cut.ends[1] < shape[3])
      filter = add(cut, filter, ".filter.cut");
    return pad.after[2] + pad.after[3] > 0 ? add(pad, filter, ".filter.filled") : filter;
  }

  ValueId phases_of_bias() {
    ValueId bias = graph_.nodes[id_].operands[2];
    return repeat_for_pixels(graph_, bias, phases_, order_, name_ + ".bias");
  }

  Conv2d convolution() const {
    Conv2d result;
    result.pad = {axes_[0].pad_before, axes_[1].pad_before, axes_[0].pad_after, axes_[1].pad_after};
    result.dilation = {axes_[0].dilation, axes_[1].dilation};
    result.groups = conv_.groups;
    return result;
  }

  std::vector<ValueId> operands(ValueId filter, std::optional<ValueId> bias) const {
    std::vector<ValueId> result = {input_, filter};
    if (bias)
      result.push_back(*bias);
    return result;
  }

  ValueId joined_phases(ValueId filter, std::optional<ValueId> bias) {
    std::vector<ValueId> parts;
    for (int64_t phase = 0; phase < phases_; ++phase) {
      ValueId part = add(Slice{{phase * channels_}, {(phase + 1) * channels_}, {0}, {}}, filter,
                         fmt::format(".filter{}", phase));
      parts.push_back(
          add_inferred(graph_, convolution(), operands(part, bias),
                       graph_.unique_value_name(fmt::format("{}.phase{}", name_, phase))));
    }
    return add_inferred(graph_, Concat{1}, parts, graph_.unique_value_name(name_ + ".phases"));
  }

  Graph &graph_;
  NodeId id_;
  const ConvTranspose2d conv_; // a copy, as the node becomes another op
  ValueId input_;
  std::string name_;
  std::array<Axis, 2> axes_ = {};
  int64_t each_ = 1, channels_ = 1, phases_ = 1; // output channels of a group, and in all
  bool depthwise_ = false;
  DepthOrder order_ = DepthOrder::dcr;
};

} // namespace

bool lower_conv_transpose(Graph &graph, PassContext &) {
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    const Node &node = graph.nodes[id];
    if (!std::holds_alternative<ConvTranspose2d>(node.op) || node.kernel != no_id ||
        !graph.type(node.results[0]).layout.plain() || graph.is_constant(node.results[0]))
      continue;
    bool parameters =
        std::all_of(node.operands.begin() + 1, node.operands.end(), [&](ValueId value) {
          return graph.is_constant(value) && graph.type(value).layout.plain();
        });
    if (parameters && graph.type(node.operands[0]).layout.plain())
      Rewriter(graph, id).run();
  }
  return graph.sort();
}

} // namespace cnnc
