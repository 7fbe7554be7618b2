// Cross-layer equalisation: the channels between two layers are multiplied so that the filter before
// them and the filter behind them reach equally far, which integers of one scale like.
//
//   %a = conv2d %x, %w, %b        ...           // constants: reach of channels in %v / that in %w
//   %r = relu %a            =>    %r.factors = sqrt %r.quotient
//   %y = conv2d %r, %v            ...
//                                 %w.scaled = mul %w, %r.factors.shaped
//                                 %b.scaled = mul %b, %r.factors
//                                 %a = conv2d %x, %w.scaled, %b.scaled
//                                 %r = relu %a
//                                 ...
//                                 %v.divided = div %v, %r.factors.shaped.1
//                                 %y = conv2d %r, %v.divided
//
// An element of %r.factors is for a channel the root of the largest weight that reads it divided by the
// largest that makes it. The results are the same but for rounding, since relu(f * x) = f * relu(x) for
// f > 0. Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", 4.1.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"
#include "compiler/pass/scale_channels.h"

namespace cnnc {

namespace {

class Equalization {
public:
  Equalization(Graph &graph, ValueId value) : graph_(graph), value_(value) {}

  /// False unless there is a layer before the channels and one behind them.
  bool run() {
    const std::optional<NodeId> before = layer_before();
    const std::vector<NodeId> behind = only_layers(graph_, value_);
    if (!before || behind.size() != 1 || !absorbs_factors(graph_, value_))
      return false;
    base_ = graph_.value(value_).name;
    const std::vector<int64_t> filter = graph_.type(graph_.nodes[*before].operands[1]).shape;
    const ValueId made = reach(graph_.nodes[*before].operands[1], {filter[0], -1});
    const ValueId read = reach_of_inputs(behind.front());
    const ValueId quotient = add(Binary{binary::div}, {read, made}, ".quotient");
    scale_channels(graph_, value_, add(Unary{unary::sqrt}, {quotient}, ".factors"));
    return true;
  }

private:
  /// Through ops that hand a factor on.
  std::optional<NodeId> layer_before() const {
    const Node *node = producer_of(graph_, value_);
    while (node && !is_layer(node->op) && node->operands.size() == 1)
      node = producer_of(graph_, node->operands[0]);
    return node && is_layer(node->op) ? std::optional(graph_.value(node->results[0]).producer)
                                      : std::nullopt;
  }

  /// The largest magnitude of each first index of a filter. What is 0 everywhere gets some, so that it
  /// can be divided by.
  ValueId reach(ValueId filter, std::vector<int64_t> rows) {
    constexpr double least = 1e-6;
    rows[1] = *element_count(graph_.type(filter).shape) / rows[0];
    const ValueId flat = add(Reshape{rows}, {filter}, ".rows");
    const ValueId sizes = add(Unary{unary::abs}, {flat}, ".sizes");
    const ValueId largest = add(ReduceMax{{1}, false}, {sizes}, ".largest");
    const ValueId some =
        graph_.add_node(Splat{least}, {}, graph_.unique_value_name(base_ + ".least"),
                        TensorType{DType::f32, {1}, "", {}});
    return add(Binary{binary::add}, {largest, some}, ".reach");
  }

  /// The same of each channel that a layer reads: of the second index, in groups.
  ValueId reach_of_inputs(NodeId layer) {
    const ValueId filter = graph_.nodes[layer].operands[1];
    const std::vector<int64_t> shape = graph_.type(filter).shape;
    const int64_t channels = graph_.type(value_).shape[1], groups = channels / shape[1];
    const int64_t taps = *element_count({shape.begin() + 2, shape.end()});
    const ValueId split =
        add(Reshape{{groups, shape[0] / groups, shape[1], taps}}, {filter}, ".split");
    const ValueId turned = add(Transpose{{0, 2, 1, 3}}, {split}, ".by_input");
    return reach(turned, {channels, -1});
  }

  ValueId add(Op op, std::vector<ValueId> operands, const std::string &suffix) {
    return add_inferred(graph_, std::move(op), std::move(operands),
                        graph_.unique_value_name(base_ + suffix));
  }

  Graph &graph_;
  ValueId value_;
  std::string base_;
};

} // namespace

bool equalize_channels(Graph &graph, PassContext &context) {
  bool changed = false;
  for (ValueId id = 0, count = static_cast<ValueId>(graph.values.size()); id < count; ++id)
    changed |= !graph.is_constant(id) && !graph.is_input(id) && Equalization(graph, id).run();
  context.unchanged = !changed;
  return !changed || graph.sort();
}

} // namespace cnnc
