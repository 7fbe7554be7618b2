#include "compiler/quantize/points.h"

#include "compiler/pass/rewrite.h"

#include <algorithm>
#include <map>
#include <utility>

namespace cnnc {

namespace {

/// Gives elements of its operands, nothing else.
bool moves(const Op &op) {
  if (const auto *resize = std::get_if<Resize2d>(&op))
    return resize->mode == ResizeMode::nearest &&
           resize->coordinates != ResizeCoordinates::tf_crop_and_resize;
  return is_one_of<MaxPool2d, Reshape, Flatten, Transpose, DepthToSpace, SpaceToDepth, Concat,
                   Slice, Split>(op);
}

bool is_layer(const Op &op) { return is_one_of<Conv2d, Dense>(op); }

bool is_arithmetic(const Op &op) {
  const auto *binary = std::get_if<Binary>(&op);
  return binary &&
         (binary->row == binary::add || binary->row == binary::sub || binary->row == binary::mul);
}

/// Beside the layers.
bool can_compute_on_integers(const Op &op) {
  return is_arithmetic(op) || moves(op) ||
         is_one_of<AvgPool2d, GlobalAvgPool2d, ReduceMean, Resize2d>(op);
}

bool is_float_variable(const Graph &graph, ValueId id) {
  return !graph.is_constant(id) && graph.type(id).dtype == DType::f32;
}

class PointFinder {
public:
  PointFinder(const Graph &graph, const std::vector<NodeId> &layers)
      : graph_(graph), is_quantized_(graph.nodes.size()), leads_to_layer_(graph.values.size()),
        kinds_(graph.values.size()) {
    for (NodeId id : layers)
      is_quantized_[id] = true;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
      for (ValueId result : node->results)
        leads_to_layer_[result] = leads_to_layer(result);
  }

  std::vector<QuantizationPoint> find() {
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      visit(id);
    std::vector<ValueId> points;
    for (ValueId id : graph_.inputs)
      if (is_point(id))
        points.push_back(id);
    for (const Node &node : graph_.nodes)
      std::ranges::copy_if(node.results, std::back_inserter(points),
                           [&](ValueId id) { return is_point(id); });
    return grouped(points);
  }

private:
  /// Where a value comes from, as far as integers are concerned.
  enum class Kind {
    other,
    layer,      // a quantised layer, with what is computed of each element behind it
    arithmetic, // an op whose operands are integers
    passed_on   // the one reader belongs to the op that computes it
  };

  /// Whether a quantised layer reads the value, or what is computed of it element by element or on
  /// integers: else rounding it gains nothing. Of its results that is known.
  bool leads_to_layer(ValueId id) const {
    return std::ranges::any_of(graph_.value(id).users, [&](NodeId user) {
      const Node &node = graph_.nodes[user];
      return is_quantized_[user] ||
             (is_one_of<Unary, Binary>(node.op) && leads_to_layer_[node.results[0]]) ||
             computes_on_integers(user);
    });
  }

  bool computes_on_integers(NodeId id) const {
    const Node &node = graph_.nodes[id];
    return can_compute_on_integers(node.op) &&
           std::ranges::any_of(node.results,
                               [&](ValueId result) { return leads_to_layer_[result]; });
  }

  void visit(NodeId id) {
    const Node &node = graph_.nodes[id];
    const ValueId changed = changed_elements(node);
    if (is_quantized_[id])
      kinds_[node.results[0]] = Kind::layer;
    else if (changed != no_id)
      kinds_[node.results[0]] = std::exchange(kinds_[changed], Kind::passed_on);
    else if (computes_on_integers(id) && std::ranges::any_of(node.operands, [&](ValueId operand) {
               return is_from_integers(operand);
             }))
      for (ValueId result : node.results)
        kinds_[result] = Kind::arithmetic;
  }

  bool is_from_integers(ValueId id) const {
    return kinds_[id] == Kind::layer || kinds_[id] == Kind::arithmetic;
  }

  /// The operand whose elements an activation, or arithmetic with constants, changes for itself alone.
  ValueId changed_elements(const Node &node) const {
    if (!is_one_of<Unary, Binary>(node.op))
      return no_id;
    std::vector<ValueId> changing;
    std::ranges::copy_if(node.operands, std::back_inserter(changing),
                         [&](ValueId operand) { return !graph_.is_constant(operand); });
    const bool alone =
        changing.size() == 1 && is_from_integers(changing[0]) && single_user(graph_, changing[0]);
    return alone ? changing[0] : no_id;
  }

  /// The operand that joins the kernel of the layer which computes it.
  bool joins(ValueId id) const {
    const std::optional<NodeId> user = single_user(graph_, id);
    if (kinds_[id] != Kind::layer || !user || !is_arithmetic(graph_.nodes[*user].op))
      return false;
    const std::vector<ValueId> &operands = graph_.nodes[*user].operands;
    const auto last = std::ranges::max_element(operands, {}, [&](ValueId operand) {
      const bool can = kinds_[operand] == Kind::layer && single_user(graph_, operand);
      return can ? static_cast<int64_t>(graph_.value(operand).producer) : -1;
    });
    return *last == id;
  }

  bool is_point(ValueId id) const {
    if (!is_float_variable(graph_, id) || kinds_[id] == Kind::passed_on || joins(id))
      return false;
    return std::ranges::any_of(graph_.value(id).users, [&](NodeId user) {
      const Node &node = graph_.nodes[user];
      return is_quantized_[user] ? node.operands[0] == id
                                 : is_from_integers(id) && computes_on_integers(user);
    });
  }

  std::vector<QuantizationPoint> grouped(const std::vector<ValueId> &points) const {
    std::map<ValueId, ValueId> leaders;
    for (ValueId id : points)
      leaders[id] = id;
    auto leader = [&](ValueId id) {
      while (leaders.at(id) != id)
        id = leaders.at(id);
      return id;
    };
    for (const Node &node : graph_.nodes)
      if (moves(node.op))
        for (ValueId result : node.results)
          for (ValueId operand : node.operands)
            if (leaders.contains(operand) && leaders.contains(result))
              leaders[leader(result)] = leader(operand);
    std::vector<QuantizationPoint> result;
    for (ValueId id : points)
      result.push_back({id, leader(id)});
    return result;
  }

  const Graph &graph_;
  std::vector<bool> is_quantized_;   // by node
  std::vector<bool> leads_to_layer_; // by value
  std::vector<Kind> kinds_;          // by value
};

} // namespace

std::vector<NodeId> quantizable_layers(const Graph &graph) {
  std::vector<NodeId> result;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    if (is_layer(node.op) && !graph.is_constant(node.results[0]) &&
        graph.is_constant(node.operands[1]) && !graph.is_constant(node.operands[0]) &&
        graph.type(node.operands[0]).dtype == DType::f32)
      result.push_back(id);
  }
  return result;
}

std::vector<ValueId> possible_points(const Graph &graph) {
  std::vector<ValueId> result;
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (is_float_variable(graph, id) &&
        std::ranges::any_of(graph.value(id).users, [&](NodeId user) {
          const Op &op = graph.nodes[user].op;
          return is_layer(op) || can_compute_on_integers(op);
        }))
      result.push_back(id);
  return result;
}

std::vector<QuantizationPoint> choose_points(const Graph &graph,
                                             const std::vector<NodeId> &layers) {
  return PointFinder(graph, layers).find();
}

} // namespace cnnc
