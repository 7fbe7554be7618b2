#include "compiler/report/sliding.h"

#include <algorithm>

namespace cnnc::report {

namespace {

constexpr int64_t most_channels = 16; // of the output: the lanes of the widest vector

Json spell(const std::vector<LoopFactor> &factors) {
  Json result = Json::object();
  for (const LoopFactor &factor : factors)
    result[factor.loop] = factor.size;
  return result;
}

/// Rows and columns of a convolution that a pool in its kernel makes one.
std::array<int64_t, 2> pooled_by(const Graph &graph, const std::vector<NodeId> &members) {
  std::array<int64_t, 2> pooled = {1, 1};
  for (NodeId member : members) {
    const Op &op = graph.nodes[member].op;
    if (const auto *max = std::get_if<MaxPool2d>(&op))
      pooled = max->kernel;
    if (const auto *mean = std::get_if<AvgPool2d>(&op))
      pooled = mean->kernel;
  }
  return pooled;
}

/// How the kernel that the members make goes through its loops.
Json describe_schedule(const Graph &graph, const KernelGroup &kernel,
                       const std::vector<NodeId> &members) {
  Json order = Json::array();
  for (const LoopName &loop : kernel.schedule.parallel)
    order.push_back(loop.loop);
  return {{"text", to_string(kernel.schedule)},
          {"tile", spell(kernel.schedule.tile)},
          {"vector", spell(kernel.schedule.vector)},
          {"block", spell(kernel.schedule.block)},
          {"order", std::move(order)},
          {"pooled", pooled_by(graph, members)}};
}

/// A convolution, cut to the part that is shown.
class ConvolutionLayer {
public:
  ConvolutionLayer(const Graph &graph, const Node &node, const KnownValues &values)
      : graph_(graph), node_(node), conv_(std::get<Conv2d>(node.op)), values_(values),
        filter_shape_(graph.type(node.operands[1]).shape) {
    sliding_ = {{filter_shape_[2], filter_shape_[3]}, conv_.stride, conv_.dilation, conv_.pad};
  }

  std::optional<Layer> describe(const std::vector<NodeId> &members, int64_t most_numbers_here);

private:
  bool read_operands();
  void choose_channels();
  std::vector<int64_t> inputs_of(int64_t channel, int64_t first, int64_t end) const;
  std::vector<float> convolve(int64_t first, int64_t end, bool with_bias) const;
  bool has_sides_of_result(const Tensor &tensor) const;
  std::optional<std::vector<Tensor>> operands_of(const Node &node, ValueId current,
                                                 const Tensor &shown) const;
  Json add_following(const std::vector<NodeId> &members, Tensor shown, Layer &layer) const;

  const Graph &graph_;
  const Node &node_;
  const Conv2d &conv_;
  const KnownValues &values_;
  const std::vector<int64_t> &filter_shape_;
  Sliding sliding_;
  std::optional<Tensor> input_, filter_, bias_;
  int64_t terms_ = 0;
  std::vector<int64_t> channels_;       // of the output
  std::vector<int64_t> input_channels_; // that the terms of these need
  Part part_ = {};
};

bool ConvolutionLayer::read_operands() {
  input_ = values_.find(node_.operands[0]);
  filter_ = values_.find(node_.operands[1]);
  const bool biased = node_.operands.size() > 2;
  if (biased)
    bias_ = values_.find(node_.operands[2]);
  return input_ && filter_ && (bias_ || !biased) && filter_->shape() == filter_shape_ &&
         input_->type().dtype == DType::f32;
}

/// The first channels, and where they are all of one group, two of the next.
void ConvolutionLayer::choose_channels() {
  const int64_t count = filter_shape_[0], of_group = count / conv_.groups;
  terms_ = std::min(filter_shape_[1], most_terms);
  for (int64_t channel = 0; channel < std::min(count, most_channels); ++channel)
    channels_.push_back(channel);
  for (int64_t channel = of_group;
       of_group >= most_channels && channel < count && channel < of_group + 2; ++channel)
    channels_.push_back(channel);
  for (int64_t channel : channels_)
    for (int64_t input : inputs_of(channel, 0, terms_))
      input_channels_.push_back(input);
  std::ranges::sort(input_channels_);
  const auto repeated = std::ranges::unique(input_channels_);
  input_channels_.erase(repeated.begin(), repeated.end());
}

/// The input channels [first, end) of the group of an output channel.
std::vector<int64_t> ConvolutionLayer::inputs_of(int64_t channel, int64_t first,
                                                 int64_t end) const {
  const int64_t group = channel / (filter_shape_[0] / conv_.groups);
  std::vector<int64_t> result;
  for (int64_t i = first; i < end; ++i)
    result.push_back(group * filter_shape_[1] + i);
  return result;
}

/// What the reference computes of the shown part when only the input channels [first, end) of every
/// group are there: [channel, row, column].
std::vector<float> ConvolutionLayer::convolve(int64_t first, int64_t end, bool with_bias) const {
  Conv2d cut = conv_;
  cut.groups = 1;
  for (size_t axis = 0; axis < 2; ++axis)
    cut.pad[2 + axis] =
        std::max<int64_t>(0, (part_.output[axis] - 1) * conv_.stride[axis] + sliding_.reach(axis) -
                                 conv_.pad[axis] - part_.input[axis]);
  const TensorType type = {DType::f32, {1, 1, part_.output[0], part_.output[1]}, "", {}};
  std::vector<float> result;
  for (int64_t channel : channels_) {
    const Tensor input = cut_channels(*input_, inputs_of(channel, first, end), part_.input);
    const Tensor filter = cut_filter(*filter_, channel, first, end);
    const Tensor bias = bias_ && with_bias ? cut_vector(*bias_, {channel}) : Tensor();
    std::vector<const Tensor *> operands = {&input, &filter};
    if (bias_ && with_bias)
      operands.push_back(&bias);
    Diagnostics ignored; // all that evaluate() reports are ops without a value
    const Tensor plane = std::move(evaluate(cut, operands, {type}, ignored)->front());
    result.insert(result.end(), plane.floats().begin(), plane.floats().end());
  }
  return result;
}

/// All but the number of images, which a type need not say.
bool ConvolutionLayer::has_sides_of_result(const Tensor &tensor) const {
  const std::vector<int64_t> &result = graph_.type(node_.results[0]).shape;
  return tensor.shape().size() == result.size() &&
         std::equal(result.begin() + 1, result.end(), tensor.shape().begin() + 1);
}

/// The operands of an op behind the convolution, cut to the part that is shown; `shown` is the one
/// that has been computed. Empty where one is not known, or of another shape.
std::optional<std::vector<Tensor>> ConvolutionLayer::operands_of(const Node &node, ValueId current,
                                                                 const Tensor &shown) const {
  std::vector<Tensor> operands;
  for (ValueId id : node.operands) {
    std::optional<Tensor> operand = id == current ? shown : values_.find(id);
    if (!operand || operand->type().dtype != DType::f32)
      return std::nullopt;
    if (id != current && has_sides_of_result(*operand))
      operand = cut_channels(*operand, channels_, part_.output);
    if (operand->count() != 1 && operand->shape() != shown.shape())
      return std::nullopt;
    operands.push_back(std::move(*operand));
  }
  return operands;
}

/// Goes on with the ops of the kernel that change the result element by element, as long as their
/// other operands are known. Returns their names.
Json ConvolutionLayer::add_following(const std::vector<NodeId> &members, Tensor shown,
                                     Layer &layer) const {
  Json names = Json::array();
  ValueId current = node_.results[0];
  for (NodeId member : members) {
    const Node &next = graph_.nodes[member];
    if (std::ranges::find(next.operands, current) == next.operands.end())
      continue;
    if (category_of(next.op) != Category::elementwise ||
        graph_.type(next.results[0]).dtype != DType::f32)
      break;
    const std::optional<std::vector<Tensor>> operands = operands_of(next, current, shown);
    if (!operands)
      break;
    std::vector<const Tensor *> pointers;
    for (const Tensor &operand : *operands)
      pointers.push_back(&operand);
    Diagnostics ignored;
    shown = std::move(evaluate(next.op, pointers, {shown.type()}, ignored)->front());
    layer.add(shown);
    names.push_back(info_of(next.op).name);
    current = next.results[0];
  }
  return names;
}

std::optional<Layer> ConvolutionLayer::describe(const std::vector<NodeId> &members,
                                                int64_t most_numbers_here) {
  if (!read_operands())
    return std::nullopt;
  choose_channels();
  const auto inputs = std::ssize(input_channels_), outputs = std::ssize(channels_);
  part_ = choose_part(sliding_, input_->type(), graph_.type(node_.results[0]), most_numbers_here,
                      [&](const Part &part) {
                        return inputs * area(part.input) + outputs * area(part.output) * 2;
                      });
  Layer layer;
  layer.json = describe_sliding(graph_, node_, sliding_, values_);
  layer.json["groups"] = conv_.groups;
  layer.json["winograd"] = conv_.winograd;
  layer.json["shown"] = {{"inputs", input_channels_},
                         {"input", part_.input},
                         {"channels", channels_},
                         {"output", part_.output},
                         {"terms", terms_}};
  layer.add(cut_channels(*input_, input_channels_, part_.input));
  for (int64_t channel : channels_)
    layer.add(cut_filter(*filter_, channel, 0, terms_));
  layer.add(bias_ ? cut_vector(*bias_, channels_)
                  : Tensor({DType::f32, {std::ssize(channels_)}, "", {}}));
  const bool all = terms_ == filter_shape_[1];
  layer.json["rest"] = !all;
  if (!all)
    layer.add(convolve(terms_, filter_shape_[1], false));
  const std::vector<float> result = convolve(0, filter_shape_[1], true);
  layer.add(result);
  Tensor shown({DType::f32, {1, std::ssize(channels_), part_.output[0], part_.output[1]}, "", {}});
  std::ranges::copy(result, shown.mutable_floats().begin());
  layer.json["after"] = add_following(members, std::move(shown), layer);
  if (node_.kernel != no_id)
    layer.json["schedule"] = describe_schedule(graph_, graph_.kernels[node_.kernel], members);
  return layer;
}

} // namespace

std::optional<Layer> convolution_layer(const Graph &graph, const Node &node,
                                       const std::vector<NodeId> &members,
                                       const KnownValues &values, int64_t most) {
  return ConvolutionLayer(graph, node, values).describe(members, most);
}

} // namespace cnnc::report
