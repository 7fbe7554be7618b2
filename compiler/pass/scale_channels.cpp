#include "compiler/pass/scale_channels.h"

#include "compiler/pass/rewrite.h"

#include <algorithm>

namespace cnnc {

namespace {

bool is_constant_layer(const Graph &graph, const Node &node) {
  return is_layer(node.op) && node.kernel == no_id &&
         std::all_of(node.operands.begin() + 1, node.operands.end(), [&](ValueId operand) {
           return graph.is_constant(operand) && graph.type(operand).layout.plain();
         });
}

/// f(a * x) = a * f(x) for a > 0, of each channel for itself.
bool hands_factors_on(const Op &op) {
  const auto *unary = std::get_if<Unary>(&op);
  if (unary)
    return unary->row == unary::relu || unary->row == unary::neg || unary->row == unary::abs ||
           unary->row->name == "leaky_relu";
  return is_one_of<MaxPool2d, AvgPool2d, GlobalAvgPool2d>(op);
}

/// Whether a constant is one number, or one for each channel, of values of this rank.
bool is_per_channel(const Graph &graph, ValueId constant, const TensorType &of) {
  const TensorType &type = graph.type(constant);
  if (!graph.is_constant(constant) || type.rank() > of.rank() || !type.layout.plain() ||
      type.dtype != DType::f32)
    return false;
  for (size_t i = 0; i < type.rank(); ++i)
    if (const size_t dimension = i + of.rank() - type.rank();
        type.shape[i] != 1 && !(dimension == 1 && type.shape[i] == of.shape[1]))
      return false;
  return true;
}

/// Which ops can take the factors of their results.
class Absorption {
public:
  explicit Absorption(const Graph &graph) : graph_(graph) {}

  /// When everybody who reads the value wants its multiple.
  bool holds(ValueId value) const {
    const Node *node = producer_of(graph_, value);
    if (!node || node->kernel != no_id || graph_.is_constant(value) || graph_.is_output(value) ||
        graph_.type(value).dtype != DType::f32 || node->results.size() != 1)
      return false;
    if (is_layer(node->op))
      return is_constant_layer(graph_, *node);
    if (hands_factors_on(node->op))
      return holds_alone(node->operands[0]);
    const auto *binary = std::get_if<Binary>(&node->op);
    return binary && holds_of(*node, binary->row);
  }

  bool is_number(const Node &node, size_t operand) const {
    return is_per_channel(graph_, node.operands[operand], graph_.type(node.results[0]));
  }

  /// The operand of a product of variables that takes the factors: a gate, say, which is smaller.
  ValueId factor_of(const Node &product) const {
    const std::vector<int64_t> &shape = graph_.type(product.results[0]).shape;
    std::vector<ValueId> operands = product.operands;
    std::ranges::stable_sort(operands, {},
                             [&](ValueId id) { return element_count(graph_.type(id).shape); });
    for (ValueId id : operands)
      if (operands[0] != operands[1] && graph_.type(id).rank() == shape.size() &&
          graph_.type(id).shape[1] == shape[1] && holds_alone(id))
        return id;
    return no_id;
  }

private:
  bool holds_of(const Node &node, const BinaryRow *row) const {
    const bool first = is_number(node, 0), second = is_number(node, 1);
    if (row == binary::mul)
      return first || second || factor_of(node) != no_id;
    if (row == binary::div)
      return first || second;
    return (row == binary::add || row == binary::sub) && node.operands[0] != node.operands[1] &&
           (first || is_term(node, 0)) && (second || is_term(node, 1));
  }

  bool holds_alone(ValueId value) const { return single_user(graph_, value) && holds(value); }

  /// What is broadcast may have other channels.
  bool is_term(const Node &sum, size_t operand) const {
    const ValueId value = sum.operands[operand];
    return graph_.type(value).shape == graph_.type(sum.results[0]).shape && holds_alone(value);
  }

  const Graph &graph_;
};

class Scaling {
public:
  Scaling(Graph &graph, ValueId factors) : graph_(graph), absorption_(graph), factors_(factors) {}

  void scale(ValueId value) {
    const NodeId id = graph_.value(value).producer;
    const Node &node = graph_.nodes[id];
    if (is_layer(node.op))
      scale_layer(id);
    else if (hands_factors_on(node.op))
      scale(node.operands[0]);
    else
      scale_binary(id);
  }

  ValueId multiple(ValueId value) {
    return add(Binary{binary::mul}, {value, factors_for(graph_.type(value))},
               graph_.value(value).name + ".equalized");
  }

  void divide_filter(NodeId id) {
    const Node &node = graph_.nodes[id];
    const ValueId filter = node.operands[1];
    const std::vector<int64_t> shape = graph_.type(filter).shape;
    const int64_t groups = graph_.type(node.operands[0]).shape[1] / shape[1];
    std::vector<int64_t> split = shape, across(shape.size(), 1); // by groups, if there are any
    across[1] = shape[1];
    if (groups > 1) {
      split[0] /= groups;
      split.insert(split.begin(), groups);
      across.insert(across.begin(), groups);
    }
    const std::string name = graph_.value(filter).name;
    const ValueId whole = reshaped(filter, split, name + ".groups");
    const ValueId divided =
        add(Binary{binary::div}, {whole, factors_as(across)}, name + ".divided");
    graph_.set_operand(id, 1, reshaped(divided, shape, name + ".equalized"));
  }

private:
  void scale_layer(NodeId id) {
    std::vector<ValueId> operands = graph_.nodes[id].operands;
    std::vector<int64_t> shape(graph_.type(operands[1]).rank(), 1);
    shape[0] = graph_.type(operands[1]).shape[0];
    operands[1] = multiplied(binary::mul, operands[1], factors_as(shape));
    if (operands.size() > 2)
      operands[2] = multiplied(binary::mul, operands[2], factors_);
    graph_.set_operands(id, std::move(operands));
  }

  void scale_binary(NodeId id) {
    const Node &node = graph_.nodes[id];
    const BinaryRow *row = std::get<Binary>(node.op).row;
    const ValueId factors = factors_for(graph_.type(node.results[0]));
    const bool sum = row == binary::add || row == binary::sub;
    std::vector<ValueId> operands = node.operands;
    if (!sum && !absorption_.is_number(node, 0) && !absorption_.is_number(node, 1)) {
      scale(absorption_.factor_of(node));
      return;
    }
    for (size_t i = 0; i < 2; ++i)
      if (!absorption_.is_number(node, i)) {
        if (sum)
          scale(operands[i]);
      } else if (sum || i == 0 || !absorption_.is_number(node, 0)) {
        operands[i] = multiplied(row == binary::div && i == 1 ? binary::div : binary::mul,
                                 operands[i], factors);
      }
    graph_.set_operands(id, std::move(operands));
  }

  ValueId multiplied(const BinaryRow *row, ValueId constant, ValueId factors) {
    return add(Binary{row}, {constant, factors}, graph_.value(constant).name + ".scaled");
  }

  /// In the shape in which they multiply values of a type.
  ValueId factors_for(const TensorType &type) {
    std::vector<int64_t> shape(type.rank() - 1, 1);
    shape[0] = type.shape[1];
    return factors_as(shape);
  }
  ValueId factors_as(const std::vector<int64_t> &shape) {
    return reshaped(factors_, shape, graph_.value(factors_).name + ".shaped");
  }

  ValueId reshaped(ValueId value, const std::vector<int64_t> &shape, const std::string &name) {
    return graph_.type(value).shape == shape ? value : add(Reshape{shape}, {value}, name);
  }

  ValueId add(Op op, std::vector<ValueId> operands, const std::string &name) {
    return add_inferred(graph_, std::move(op), std::move(operands), graph_.unique_value_name(name));
  }

  Graph &graph_;
  const Absorption absorption_;
  const ValueId factors_;
};

} // namespace

bool is_layer(const Op &op) { return is_one_of<Conv2d, Dense>(op); }

int64_t input_channel(const Graph &graph, const Node &layer, int64_t o, int64_t i) {
  const std::vector<int64_t> &filter = graph.type(layer.operands[1]).shape;
  const int64_t groups = graph.type(layer.operands[0]).shape[1] / filter[1];
  return o / (filter[0] / groups) * filter[1] + i;
}

std::vector<NodeId> only_layers(const Graph &graph, ValueId value) {
  const std::vector<NodeId> &users = graph.value(value).users;
  const bool all = std::ranges::all_of(users, [&](NodeId id) {
    const Node &node = graph.nodes[id];
    return is_constant_layer(graph, node) && node.operands[0] == value;
  });
  return all && !graph.is_output(value) ? users : std::vector<NodeId>();
}

bool absorbs_factors(const Graph &graph, ValueId value) { return Absorption(graph).holds(value); }

void scale_channels(Graph &graph, ValueId value, ValueId factors) {
  Scaling scaling(graph, factors);
  const std::vector<NodeId> layers = only_layers(graph, value);
  if (absorbs_factors(graph, value)) {
    scaling.scale(value);
  } else {
    const ValueId multiple = scaling.multiple(value);
    for (NodeId id : layers)
      graph.set_operand(id, 0, multiple);
  }
  for (NodeId id : layers)
    scaling.divide_filter(id);
}

} // namespace cnnc
