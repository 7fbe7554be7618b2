// Batch norm folding: a batch norm with constant parameters, and a mul, div, add or sub with a
// constant per channel, go into the weights and bias of the convolution or dense layer before.
//
//   %c = conv2d %x, %w, %b              %s.vector = reshape %s shape=[4]
//   %n = mul %c, %s               =>    %s.vector.per_filter = reshape %s.vector shape=[4, 1, 1, 1]
//   %y = relu %n                        %c.weight.folded = mul %w, %s.vector.per_filter
//                                       %c.bias.folded = mul %b, %s.vector
//                                       %c = conv2d %x, %c.weight.folded, %c.bias.folded
//                                       %y = relu %c
//
// A batch norm is such a mul by scale / sqrt(variance + epsilon) and an add of the rest; where no
// layer is before it, or its parameters are known only when the model runs, as in training, it
// becomes just these two, which fuse with their neighbours. Expressions of constants are computed
// once, when the weights are stored.

#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"

#include <algorithm>

namespace cnnc {

namespace {

class Folding {
public:
  explicit Folding(Graph &graph) : graph_(graph) {}

  void run() {
    expand_norms(false); // of which a part may be constant, and fold
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      if (is_layer(graph_.nodes[id]))
        while (fold_user(id))
          ;
    expand_norms(true);
    dead_.resize(graph_.nodes.size(), false);
    graph_.erase_nodes(dead_);
    graph_.sort();
  }

private:
  void expand_norms(bool with_constant_parameters) {
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      if (const auto *norm = std::get_if<BatchNorm>(&graph_.nodes[id].op))
        if (expandable(graph_.nodes[id]) &&
            constant_parameters(graph_.nodes[id]) == with_constant_parameters)
          expand_into_ops(id, norm->epsilon);
  }

  static bool is_layer(const Node &node) {
    return node.kernel == no_id && !node.operands.empty() &&
           traits_of(node.op).filter_channels >= 0;
  }

  bool expandable(const Node &norm) const {
    return norm.kernel == no_id && norm.operands.size() == 5 && norm.results.size() == 1 &&
           graph_.type(norm.results[0]).layout.plain();
  }

  bool constant_parameters(const Node &norm) const {
    return std::all_of(norm.operands.begin() + 1, norm.operands.end(),
                       [&](ValueId operand) { return graph_.is_constant(operand); });
  }

  const Node &layer() const { return graph_.nodes[layer_]; }
  std::string name(std::string_view suffix) const {
    return graph_.values[layer().results[0]].name + std::string(suffix);
  }
  int64_t channels() const { return graph_.type(layer().results[0]).shape[1]; }

  /// Folds the only reader of a layer into it, if it is one of the ops above.
  bool fold_user(NodeId id) {
    layer_ = id;
    ValueId result = layer().results[0];
    std::optional<NodeId> user = single_user(graph_, result);
    if (!user || graph_.nodes[*user].kernel != no_id || !foldable_layer())
      return false;
    const Node &node = graph_.nodes[*user];
    if (graph_.type(node.results[0]) != graph_.type(result))
      return false;
    bool folded = false;
    if (const auto *norm = std::get_if<BatchNorm>(&node.op))
      folded = fold_norm(*user, norm->epsilon);
    else if (const auto *binary = std::get_if<Binary>(&node.op))
      folded = fold_binary(*user, binary->row);
    if (!folded)
      return false;
    replace_value(graph_, graph_.nodes[*user].results[0], result);
    dead_.resize(graph_.nodes.size(), false);
    dead_[*user] = true;
    return true;
  }

  bool foldable_layer() const {
    const std::vector<ValueId> &operands = layer().operands;
    return std::all_of(operands.begin() + 1, operands.end(), [&](ValueId operand) {
      return graph_.is_constant(operand) && graph_.type(operand).layout.plain();
    });
  }

  bool fold_norm(NodeId id, double epsilon) {
    const Node &norm = graph_.nodes[id];
    if (norm.operands[0] != layer().results[0] || !expandable(norm) || !constant_parameters(norm))
      return false;
    ValueId factor = factor_of(norm, epsilon, name(""));
    shift(binary::sub, norm.operands[3], ".bias.centered");
    scale(binary::mul, factor, ".bias.scaled");
    shift(binary::add, norm.operands[2], ".bias.folded");
    return true;
  }

  bool fold_binary(NodeId id, const BinaryRow *op) {
    const Node &node = graph_.nodes[id];
    bool shifts = op == binary::add || op == binary::sub;
    bool scales = op == binary::mul || op == binary::div;
    bool commutes = op == binary::add || op == binary::mul;
    bool first = node.operands[0] == layer().results[0];
    ValueId other = node.operands[first ? 1 : 0];
    if ((!shifts && !scales) || (!first && !commutes) || !graph_.is_constant(other))
      return false;
    std::optional<ValueId> vector = per_channel(other);
    if (!vector)
      return false;
    if (shifts)
      shift(op, *vector, ".bias.folded");
    else
      scale(op, *vector, ".bias.folded");
    return true;
  }

  /// The constant as a vector of one element per channel, or of one for all; empty when it varies
  /// along another dimension.
  std::optional<ValueId> per_channel(ValueId constant) {
    const TensorType &type = graph_.type(constant);
    size_t rank = graph_.type(layer().results[0]).rank();
    int64_t count = 1;
    if (type.rank() > rank || !type.layout.plain())
      return std::nullopt;
    for (size_t i = 0; i < type.rank(); ++i) {
      bool channel = i + rank - type.rank() == 1 && type.shape[i] == channels();
      if (type.shape[i] != 1 && !channel)
        return std::nullopt;
      count *= type.shape[i];
    }
    return reshaped(constant, {count}, graph_.values[constant].name + ".vector");
  }

  ValueId reshaped(ValueId value, std::vector<int64_t> shape, const std::string &result_name) {
    if (graph_.type(value).shape == shape)
      return value;
    return add_inferred(graph_, Reshape{std::move(shape)}, {value}, result_name);
  }

  ValueId binary(const BinaryRow *op, ValueId a, ValueId b, const std::string &result_name) {
    return add_inferred(graph_, Binary{op}, {a, b}, result_name);
  }

  ValueId splat(double value, std::vector<int64_t> shape, const std::string &result_name) {
    return graph_.add_node(Splat{value}, {}, result_name, {DType::f32, std::move(shape)});
  }

  /// scale / sqrt(variance + epsilon) of a batch norm.
  ValueId factor_of(const Node &norm, double epsilon, const std::string &base) {
    ValueId variance = norm.operands[4];
    ValueId small = splat(epsilon, graph_.type(variance).shape, base + ".epsilon");
    ValueId sum = binary(binary::add, variance, small, base + ".variance");
    ValueId deviation = add_inferred(graph_, Unary{unary::sqrt}, {sum}, base + ".deviation");
    return binary(binary::div, norm.operands[1], deviation, base + ".factor");
  }

  /// bias = bias (op) vector. A missing bias is zero.
  void shift(const BinaryRow *op, ValueId vector, std::string_view suffix) {
    bool has_bias = layer().operands.size() > 2;
    ValueId addend = shaped_for_bias(vector);
    bool is_bias = !has_bias && op == binary::add && graph_.type(addend).shape == bias_shape();
    ValueId bias = is_bias ? addend
                   : has_bias
                       ? binary(op, layer().operands[2], addend, name(suffix))
                       : binary(op, splat(0, bias_shape(), name(".bias")), addend, name(suffix));
    graph_.set_operands(layer_, {layer().operands[0], layer().operands[1], bias});
  }

  /// filter = filter (op) vector, and the bias likewise if there is one.
  void scale(const BinaryRow *op, ValueId vector, std::string_view suffix) {
    ValueId filter =
        binary(op, layer().operands[1], shaped_for_filter(vector), name(".weight.folded"));
    graph_.set_operand(layer_, 1, filter);
    if (layer().operands.size() > 2)
      shift(op, vector, suffix);
  }

  std::vector<int64_t> bias_shape() const {
    const std::vector<int64_t> &result = graph_.type(layer().results[0]).shape;
    if (std::holds_alternative<Local2d>(layer().op))
      return {result[1], result[2], result[3]};
    return {channels()};
  }

  ValueId shaped_for_bias(ValueId vector) {
    int64_t count = graph_.type(vector).shape[0];
    if (!std::holds_alternative<Local2d>(layer().op))
      return vector;
    return reshaped(vector, {count, 1, 1}, graph_.values[vector].name + ".per_channel");
  }

  ValueId shaped_for_filter(ValueId vector) {
    size_t rank = graph_.type(layer().operands[1]).rank();
    std::vector<int64_t> shape(rank, 1);
    shape[static_cast<size_t>(traits_of(layer().op).filter_channels)] =
        graph_.type(vector).shape[0];
    return reshaped(vector, std::move(shape), graph_.values[vector].name + ".per_filter");
  }

  /// A batch norm on its own: %n = input * factor + (bias - mean * factor).
  void expand_into_ops(NodeId id, double epsilon) {
    const Node &norm = graph_.nodes[id];
    std::string base = graph_.values[norm.results[0]].name;
    const TensorType &type = graph_.type(norm.results[0]);
    std::vector<int64_t> shape(type.rank() - 1, 1);
    shape[0] = type.shape[1];
    ValueId factor = factor_of(norm, epsilon, base);
    ValueId product = binary(binary::mul, norm.operands[3], factor, base + ".mean.scaled");
    ValueId offset = binary(binary::sub, norm.operands[2], product, base + ".offset");
    factor = reshaped(factor, shape, base + ".factor.per_channel");
    offset = reshaped(offset, shape, base + ".offset.per_channel");
    ValueId scaled = binary(binary::mul, norm.operands[0], factor, base + ".scaled");
    graph_.redefine(id, Binary{binary::add}, {scaled, offset});
  }

  Graph &graph_;
  NodeId layer_ = 0;
  std::vector<bool> dead_;
};

} // namespace

bool fold_batch_norm(Graph &graph, PassContext &) {
  Folding(graph).run();
  return true;
}

} // namespace cnnc
