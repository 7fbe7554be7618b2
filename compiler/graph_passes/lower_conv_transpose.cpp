// Writes transposed convolutions as convolutions.
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
// convolution of the input with every stride-th element of the filter, backwards. Where all phases
// have as many elements they are channels of one convolution, and depth_to_space puts them in their
// places; what the pads cut off is a crop. The phases of groups stand side by side (mode crd).
//
// Where the kernel is no multiple of the stride, or dilated, each phase has elements of its own, and
// is a convolution of its own:
//
//   %y = conv_transpose2d %x, %w stride=[2, 2] pad=[1, 1, 1, 1] output_padding=[1, 1]
// becomes
//   ...
//   %y.phase0 = conv2d %x, %y.filter0 pad=[1, 1, 1, 1] : f32[n, 4, 7, 7]
//   ...
//   %y.phase3 = conv2d %x, %y.filter3 pad=[0, 0, 1, 1] : f32[n, 4, 7, 7]
//   %y.phases = concat %y.phase0, %y.phase1, %y.phase2, %y.phase3 axis=1
//   %y = depth_to_space %y.phases block=[2, 2] crop=[1, 1, 1, 1] : f32[n, 4, 12, 12]
//
// Zeros that fill a filter up would not do: times infinity they are NaN. So are the phases of
// depthwise convolutions. Few output channels would leave most lanes of such convolutions empty:
// then the products with every element of the filter are channels of one convolution, and each
// phase is the sum of its own, moved to where their elements reach.
//
//   %y = conv_transpose2d %x, %w, %b stride=[2, 1]
// becomes
//   %y.filter.taps = transpose %w permutation=[2, 3, 1, 0]
//   %y.filter = reshape %y.filter.taps shape=[9, 32, 1, 1]
//   %y.products = conv2d %x, %y.filter
//   %y.tap0, %y.tap1, %y.tap2 = split %y.products axis=1 sizes=[3, 3, 3]
//   %y.moved0 = pad %y.tap0 before=[0, 0, 0, 0] after=[0, 0, 1, 0]
//   %y.moved2 = pad %y.tap2 before=[0, 0, 1, 0] after=[0, 0, 0, 0]
//   %y.sum2 = add %y.moved0, %y.moved2
//   %y.moved1 = pad %y.tap1 before=[0, 0, 0, 0] after=[0, 0, 1, 0]
//   %y.phases = concat %y.sum2, %y.moved1 axis=1
//   %y.sums = depth_to_space %y.phases block=[2, 1] crop=[0, 0, 1, 0]
//   %y.bias = reshape %b shape=[1, 3, 1, 1]
//   %y = add %y.sums, %y.bias
//
// A phase that nothing reaches is the bias. What is written here about filters is computed once,
// when the weights are stored, or by kernels where the filter is known only when the model runs: in
// training it is, and the gradient of a convolution's input is a transposed convolution.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/conv_transpose_products.h"
#include "compiler/pass/rewrite.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace cnnc {

namespace {

/// So many convolutions for one at most.
constexpr int64_t most_phases = 64;

/// What of the filter reaches the output positions q * stride + phase: its elements first,
/// first + step .. (`taps` of them), the inputs at q - offset, q - offset - dilation ..
struct Phase {
  int64_t first = 0, step = 1, taps = 0;
  int64_t offset = 0, dilation = 1;
  int64_t reach() const { return offset + dilation * (taps - 1); }
};

Phase phase_of(int64_t phase, int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t common = std::gcd(stride, dilation);
  Phase result;
  result.step = stride / common;
  result.dilation = dilation / common;
  while (result.first < std::min(kernel, result.step) &&
         (result.first * dilation - phase) % stride != 0)
    ++result.first;
  if (result.first >= std::min(kernel, result.step))
    return result; // no element
  result.taps = ceil_div(kernel - result.first, result.step);
  if (result.taps == 1)
    result.dilation = 1;
  // Elements before the phase's own position count backwards: the quotient is exact.
  result.offset = (result.first * dilation - phase) / stride;
  return result;
}

/// One dimension of the convolution. Positions [first, first + count) of every phase hold those of
/// the output, and all that its inputs reach without being cut.
struct Axis {
  int64_t stride = 1, input = 1, first = 0, count = 1;
  int64_t crop_before = 0, crop_after = 0; // pixels of the shuffled result
  std::vector<Phase> phases;

  bool alike() const {
    return std::all_of(phases.begin(), phases.end(), [&](const Phase &phase) {
      return phase.taps == phases[0].taps && phase.offset == phases[0].offset;
    });
  }
  int64_t pad_before(const Phase &phase) const { return phase.reach() - first; }
  int64_t pad_after(const Phase &phase) const { return first + count - input - phase.offset; }
};

Axis axis_of(const ConvTranspose2d &conv, size_t i, int64_t input, int64_t kernel, int64_t output) {
  const int64_t pad = conv.pad[i];
  Axis axis;
  axis.stride = conv.stride[i];
  axis.input = input;
  axis.first = pad / axis.stride;
  int64_t last = (pad + output - 1) / axis.stride;
  for (int64_t phase = 0; phase < axis.stride; ++phase) {
    axis.phases.push_back(phase_of(phase, kernel, axis.stride, conv.dilation[i]));
    if (const Phase &added = axis.phases.back(); added.taps > 0) {
      axis.first = std::min(axis.first, added.reach());
      last = std::max(last, input - 1 + added.offset);
    }
  }
  axis.count = last - axis.first + 1;
  axis.crop_before = pad - axis.first * axis.stride;
  axis.crop_after = axis.count * axis.stride - axis.crop_before - output;
  return axis;
}

class Rewriter {
public:
  Rewriter(Graph &graph, NodeId id)
      : graph_(graph), id_(id), conv_(std::get<ConvTranspose2d>(graph.nodes[id].op)),
        input_(graph.nodes[id].operands[0]), filter_(graph.nodes[id].operands[1]),
        name_(graph.value(graph.nodes[id].results[0]).name) {
    if (graph.nodes[id].operands.size() > 2)
      bias_ = graph.nodes[id].operands[2];
    const std::vector<int64_t> &filter = graph.type(filter_).shape;
    const std::vector<int64_t> &in = graph.type(input_).shape;
    const std::vector<int64_t> &out = graph.type(graph.nodes[id].results[0]).shape;
    each_ = filter[1], channels_ = out[1];
    for (size_t i = 0; i < 2; ++i)
      axes_[i] = axis_of(conv_, i, in[2 + i], filter[2 + i], out[2 + i]);
    phases_ = axes_[0].stride * axes_[1].stride;
    const bool depthwise = conv_.groups > 1 && each_ == 1 && filter[0] == conv_.groups;
    apart_ = !axes_[0].alike() || !axes_[1].alike() ||
             (depthwise && phases_ > 1 && phases_ <= most_phases);
    order_ = conv_.groups == 1 || apart_ ? DepthOrder::dcr : DepthOrder::crd;
  }

  bool has_convolution_for_each_phase() const { return apart_; }
  /// Whether there are not too many convolutions.
  bool possible() const { return !apart_ || phases_ <= most_phases; }

  void run() {
    const bool cropped =
        axes_[0].crop_before + axes_[0].crop_after + axes_[1].crop_before + axes_[1].crop_after > 0;
    if (phases_ == 1 && !cropped)
      return graph_.redefine(
          id_, convolution(axes_[0].phases[0], axes_[1].phases[0]),
          operands(graph_.is_constant(filter_) ? filter_of_all() : filter_backwards()));
    ValueId phases = apart_ ? joined_phases() : all_phases();
    DepthToSpace shuffle{{axes_[0].stride, axes_[1].stride}, order_, {}};
    shuffle.crop = {axes_[0].crop_before, axes_[1].crop_before, axes_[0].crop_after,
                    axes_[1].crop_after};
    graph_.redefine(id_, shuffle, {phases});
  }

private:
  ValueId add(Op op, ValueId operand, const std::string &suffix) {
    return add_inferred(graph_, std::move(op), {operand}, graph_.unique_value_name(name_ + suffix));
  }

  /// [ic, oc / groups, kh, kw] to [oc * phases, ic / groups, taps, taps], where all have as many.
  ValueId filter_of_all() {
    const Axis &y = axes_[0], &x = axes_[1];
    const int64_t rows = y.phases[0].taps, columns = x.phases[0].taps;
    const int64_t groups = conv_.groups, ic = graph_.type(filter_).shape[0] / groups;
    ValueId split = add(Reshape{{groups, ic, each_, rows, y.stride, columns, x.stride}}, filter_,
                        ".filter.split");
    if (rows > 1 || columns > 1) // a step of -1: from the last element to the first
      split = add(Slice{{-1, -1}, {-rows - 1, -columns - 1}, {3, 5}, {-1, -1}}, split,
                  ".filter.backwards");
    std::vector<int64_t> order = order_ == DepthOrder::dcr
                                     ? std::vector<int64_t>{4, 6, 0, 2, 1, 3, 5}
                                     : std::vector<int64_t>{0, 2, 4, 6, 1, 3, 5};
    split = add(Transpose{order}, split, ".filter.phases");
    return add(Reshape{{channels_ * phases_, ic, rows, columns}}, split, ".filter");
  }

  /// The whole filter backwards, for kernels: elements of a window in a row, and the transpose
  /// last, which can write the filter as the convolution reads it.
  ValueId filter_backwards() {
    const std::vector<int64_t> shape = graph_.type(filter_).shape;
    const int64_t groups = conv_.groups, ic = shape[0] / groups, taps = shape[2] * shape[3];
    ValueId filter = filter_;
    if (taps > 1) {
      filter = add(Reshape{{shape[0], each_, taps}}, filter, ".filter.rows");
      filter = add(Slice{{-1}, {-taps - 1}, {2}, {-1}}, filter, ".filter.backwards");
    }
    if (groups == 1) {
      if (taps > 1)
        filter = add(Reshape{shape}, filter, ".filter.windows");
      return add(Transpose{{1, 0, 2, 3}}, filter, ".filter");
    }
    filter = add(Reshape{{groups, ic, each_, taps}}, filter, ".filter.groups");
    filter = add(Transpose{{0, 2, 1, 3}}, filter, ".filter.outputs");
    return add(Reshape{{channels_, ic, shape[2], shape[3]}}, filter, ".filter");
  }

  /// The elements of one phase, backwards: [oc, ic / groups, taps, taps].
  ValueId filter_of(const Phase &y, const Phase &x, const std::string &suffix) {
    const int64_t groups = conv_.groups, ic = graph_.type(filter_).shape[0] / groups;
    Slice elements{{}, {}, {2, 3}, {}};
    for (size_t i = 0; i < 2; ++i) {
      const Phase *phase = i == 0 ? &y : &x;
      const int64_t beyond = -graph_.type(filter_).shape[2 + i] - 1; // before element 0
      const int64_t last = phase->first + phase->step * (phase->taps - 1);
      elements.starts.push_back(last);
      elements.ends.push_back(phase->first > 0 ? phase->first - 1 : beyond);
      elements.steps.push_back(-phase->step);
    }
    ValueId part = add(elements, filter_, ".elements" + suffix);
    if (groups == 1 && !graph_.is_constant(filter_))
      return add(Transpose{{1, 0, 2, 3}}, part, ".filter" + suffix);
    part = add(Reshape{{groups, ic, each_, y.taps, x.taps}}, part, ".groups" + suffix);
    part = add(Transpose{{0, 2, 1, 3, 4}}, part, ".outputs" + suffix);
    return add(Reshape{{channels_, ic, y.taps, x.taps}}, part, ".filter" + suffix);
  }

  Conv2d convolution(const Phase &y, const Phase &x) const {
    Conv2d result;
    result.pad = {axes_[0].pad_before(y), axes_[1].pad_before(x), axes_[0].pad_after(y),
                  axes_[1].pad_after(x)};
    result.dilation = {y.dilation, x.dilation};
    result.groups = conv_.groups;
    return result;
  }

  std::vector<ValueId> operands(ValueId filter) const {
    std::vector<ValueId> result = {input_, filter};
    if (bias_)
      result.push_back(*bias_);
    return result;
  }

  /// One convolution.
  ValueId all_phases() {
    ValueId filter = filter_of_all();
    if (bias_)
      bias_ = repeat_for_pixels(graph_, *bias_, phases_, order_, name_ + ".bias");
    return add_inferred(graph_, convolution(axes_[0].phases[0], axes_[1].phases[0]),
                        operands(filter), name_ + ".phases");
  }

  ValueId joined_phases() {
    std::vector<ValueId> parts;
    for (const Phase &y : axes_[0].phases)
      for (const Phase &x : axes_[1].phases) {
        const std::string number = std::to_string(parts.size());
        parts.push_back(y.taps > 0 && x.taps > 0 ? reached_phase(y, x, number)
                                                 : unreached_phase(parts.front(), number));
      }
    return add_inferred(graph_, Concat{1}, parts, graph_.unique_value_name(name_ + ".phases"));
  }

  ValueId reached_phase(const Phase &y, const Phase &x, const std::string &number) {
    ValueId filter = filter_of(y, x, number);
    return add_inferred(graph_, convolution(y, x), operands(filter),
                        graph_.unique_value_name(name_ + ".phase" + number));
  }

  /// The bias, or zeros, with the shape of another phase.
  ValueId unreached_phase(ValueId other, const std::string &number) {
    auto constant = [&](DType dtype, const std::string &suffix) {
      return graph_.add_node(Splat{0}, {}, graph_.unique_value_name(name_ + suffix + number),
                             {dtype, {1}, "", {}});
    };
    ValueId nowhere = constant(DType::boolean, ".nowhere");
    ValueId value = bias_ ? add(Reshape{{1, channels_, 1, 1}}, *bias_, ".bias" + number)
                          : constant(DType::f32, ".zero");
    return add_inferred(graph_, Where{}, {nowhere, other, value},
                        graph_.unique_value_name(name_ + ".phase" + number));
  }

  Graph &graph_;
  NodeId id_;
  const ConvTranspose2d conv_; // a copy, as the node becomes another op
  ValueId input_, filter_;
  std::optional<ValueId> bias_;
  std::string name_;
  std::array<Axis, 2> axes_ = {};
  int64_t each_ = 1, channels_ = 1, phases_ = 1; // output channels of a group, and in all
  bool apart_ = false;                           // a convolution for each phase
  DepthOrder order_ = DepthOrder::dcr;
};

} // namespace

bool lower_conv_transpose(Graph &graph, PassContext &context) {
  context.unchanged = true;
  for (NodeId id = 0, count = static_cast<NodeId>(graph.nodes.size()); id < count; ++id) {
    const Node &node = graph.nodes[id];
    if (!std::holds_alternative<ConvTranspose2d>(node.op) || node.kernel != no_id ||
        !graph.type(node.results[0]).layout.plain() || graph.is_constant(node.results[0]))
      continue;
    if (!std::all_of(node.operands.begin(), node.operands.end(),
                     [&](ValueId value) { return graph.type(value).layout.plain(); }))
      continue;
    context.unchanged = false;
    Rewriter rewriter(graph, id);
    if (rewriter.has_convolution_for_each_phase() &&
        fills_vectors_by_products(graph, node, context.machine.vector_lanes))
      write_as_products(graph, id);
    else if (rewriter.possible())
      rewriter.run();
  }
  return context.unchanged || graph.sort();
}

} // namespace cnnc
