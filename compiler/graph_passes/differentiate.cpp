// Reverse-mode differentiation (Linnainmaa 1970; Griewank and Walther 2008): from a model and the
// number that it makes, a model that also returns the gradients of its weights.
//
//   model @m(%x: f32[8, 4], %labels: i64[8]) {
//     %w = weight "w" : f32[3, 4]
//     %y = dense %x, %w
//     %loss = cross_entropy %y, %labels
//     return %loss
//   }
// becomes
//   model @m(%x: f32[8, 4], %labels: i64[8]) {
//     ...
//     %softmax = softmax %y axis=1
//     ... : one column for each class
//     %y.gradient = mul ..
//     %transpose = transpose %y.gradient permutation=[1, 0]
//     %w.gradient = matmul %transpose, %x
//     return %loss, %w.gradient
//   }
//
// Every op has its rule in ir/graph/gradients, in terms of other ops. The passes behind this one
// see one graph, forward and backward.
//
// A model whose first output is not one number gets a loss behind it, and an input for what the
// output should be: classes as %labels, else %targets. A softmax or sigmoid at the end becomes part
// of the loss, which is computed from what goes into it.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/support/wildcard.h"
#include "ir/graph/gradients/backward.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

bool is_one_number(const TensorType &type) {
  return type.dtype == DType::f32 && element_count(type.shape) == 1 && !type.has_symbolic_batch();
}

class LossMaker {
public:
  LossMaker(Graph &graph, PassContext &context)
      : graph_(graph), request_(context.gradients), diagnostics_(context.diagnostics) {}

  /// Puts a loss in front of the outputs, unless the first one is one.
  bool run() {
    const ValueId output = graph_.outputs.front();
    if (is_one_number(graph_.type(output)))
      return check_unwanted();
    LossKind kind = request_.loss;
    if (kind == LossKind::automatic)
      kind =
          graph_.type(output).rank() == 2 ? LossKind::cross_entropy : LossKind::mean_squared_error;
    if (graph_.type(output).dtype != DType::f32 ||
        (kind == LossKind::cross_entropy && graph_.type(output).rank() != 2)) {
      diagnostics_.error(graph_.range,
                         fmt::format("the output %{} is {}: a loss needs numbers, f32, and "
                                     "cross_entropy [n, classes] of them; let the model return "
                                     "one number, or choose another --loss",
                                     format_name(graph_.value(output).name),
                                     to_string(graph_.type(output))));
      return false;
    }
    add(kind, output);
    return true;
  }

private:
  bool check_unwanted() {
    if (request_.loss == LossKind::automatic)
      return true;
    diagnostics_.error(graph_.range, "the model returns one number already: --loss is for others");
    return false;
  }

  /// What goes into the op at the end that the loss does itself.
  ValueId without_last(LossKind kind, ValueId output) const {
    const NodeId producer = graph_.value(output).producer;
    if (producer == no_id)
      return output;
    const Node &node = graph_.nodes[producer];
    const auto *softmax = std::get_if<Softmax>(&node.op);
    const bool done =
        (kind == LossKind::cross_entropy && softmax && normalized_axis(softmax->axis, 2) == 1u) ||
        (kind == LossKind::binary_cross_entropy && is(node.op, unary::sigmoid));
    return done ? node.operands[0] : output;
  }

  void add(LossKind kind, ValueId output) {
    const ValueId from = without_last(kind, output);
    TensorType wanted = graph_.type(from);
    wanted.layout = {};
    if (kind == LossKind::cross_entropy)
      wanted = {DType::i64, {wanted.shape[0]}, wanted.batch_name, {}};
    const std::string name = kind == LossKind::cross_entropy ? "labels" : "targets";
    const ValueId target = graph_.add_value(graph_.unique_value_name(name), wanted);
    graph_.inputs.push_back(target);
    Op op = CrossEntropy{request_.label_smoothing};
    if (kind == LossKind::mean_squared_error)
      op = MeanSquaredError{};
    if (kind == LossKind::binary_cross_entropy)
      op = BinaryCrossEntropy{};
    const ValueId loss = graph_.add_node(std::move(op), {from, target},
                                         graph_.unique_value_name("loss"), TensorType{});
    graph_.outputs.insert(graph_.outputs.begin(), loss);
    graph_.output_ranges.clear();
  }

  Graph &graph_;
  const GradientRequest &request_;
  Diagnostics &diagnostics_;
};

class Differentiator {
public:
  Differentiator(Graph &graph, PassContext &context)
      : graph_(graph), request_(context.gradients), context_(context), gradients_(graph) {}

  bool run() {
    if (!check_batch() || !find_targets())
      return false;
    find_wanted();
    const ValueId loss = graph_.outputs.front();
    gradients_.add(loss, filled({graph_, loss}, 1, graph_.type(loss).shape).id());
    const size_t errors = context_.diagnostics.error_count();
    for (NodeId id = forward_nodes_; id-- > 0;)
      if (matters(id)) {
        // A copy: what the rule adds may move nodes.
        const Op op = graph_.nodes[id].op;
        Backward backward(graph_, id, gradients_, wanted_, context_.diagnostics);
        std::visit([&](const auto &concrete) { concrete.differentiate(backward); }, op);
      }
    if (context_.diagnostics.error_count() != errors)
      return false;
    return_gradients();
    graph_.sort();
    graph_.erase_dead_nodes();
    return true;
  }

private:
  /// Gradients of weights are sums over the images.
  bool check_batch() const {
    for (ValueId id : graph_.inputs)
      if (graph_.type(id).has_symbolic_batch()) {
        context_.diagnostics.error(graph_.value(id).range,
                                   fmt::format("gradients are sums over the images, whose number "
                                               "must be known: say --batch N, or write it in place "
                                               "of '{}'",
                                               graph_.type(id).batch_name));
        return false;
      }
    return true;
  }

  /// Learned numbers: tensors of a file, or random ones in their place, that are no statistics.
  bool is_parameter(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    if (producer == no_id || graph_.type(id).dtype != DType::f32 ||
        !is_one_of<Weight, Random>(graph_.nodes[producer].op))
      return false;
    return std::ranges::none_of(graph_.value(id).users, [&](NodeId user) {
      const Node &node = graph_.nodes[user];
      return std::holds_alternative<BatchNorm>(node.op) &&
             (node.operands[3] == id || node.operands[4] == id);
    });
  }

  /// The name of a weight in its file, else that of the value.
  std::string name_of(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    const auto *weight =
        producer == no_id ? nullptr : std::get_if<Weight>(&graph_.nodes[producer].op);
    return weight ? weight->key : graph_.value(id).name;
  }

  bool find_targets() {
    for (const std::string &pattern : request_.of) {
      const size_t before = targets_.size();
      for (ValueId id = 0; id < graph_.values.size(); ++id) {
        const bool candidate =
            is_parameter(id) || (graph_.is_input(id) && graph_.type(id).dtype == DType::f32);
        if (candidate && (matches_wildcard(pattern, name_of(id)) ||
                          matches_wildcard(pattern, graph_.value(id).name)))
          add_target(id);
      }
      if (targets_.size() == before) {
        context_.diagnostics.error(graph_.range, fmt::format("no weight and no input of f32 has a "
                                                             "name like '{}'",
                                                             pattern));
        return false;
      }
    }
    if (request_.of.empty())
      for (ValueId id = 0; id < graph_.values.size(); ++id)
        if (is_parameter(id))
          add_target(id);
    if (targets_.empty())
      context_.diagnostics.error(graph_.range, "this model has no weights; name the inputs whose "
                                               "gradients are wanted, as in --gradients-of=image");
    return !targets_.empty();
  }

  void add_target(ValueId id) {
    if (std::ranges::find(targets_, id) == targets_.end())
      targets_.push_back(id);
  }

  /// Everything that is computed from what is asked for.
  void find_wanted() {
    wanted_.assign(graph_.values.size(), false);
    for (ValueId id : targets_)
      wanted_[id] = true;
    forward_nodes_ = static_cast<NodeId>(graph_.nodes.size());
    for (const Node &node : graph_.nodes)
      if (std::ranges::any_of(node.operands, [&](ValueId id) { return wanted_[id]; }))
        for (ValueId result : node.results)
          wanted_[result] = true;
  }

  bool matters(NodeId id) const {
    const Node &node = graph_.nodes[id];
    return std::ranges::any_of(node.operands, [&](ValueId value) { return wanted_[value]; }) &&
           std::ranges::any_of(node.results,
                               [&](ValueId value) { return gradients_.find(value).has_value(); });
  }

  void return_gradients() {
    for (ValueId target : targets_) {
      std::optional<ValueId> gradient = gradients_.find(target);
      if (!gradient) {
        gradient = filled({graph_, target}, 0, graph_.type(target).shape).id();
        if (context_.remark)
          context_.remark(fmt::format("the loss does not change with %{}: its gradient is 0",
                                      format_name(graph_.value(target).name)));
      }
      graph_.outputs.push_back(*gradient);
    }
    graph_.output_ranges.clear();
  }

  Graph &graph_;
  const GradientRequest &request_;
  PassContext &context_;
  Gradients gradients_;
  std::vector<ValueId> targets_;
  std::vector<bool> wanted_; // of the values of the forward pass
  NodeId forward_nodes_ = 0;
};

} // namespace

bool differentiate(Graph &graph, PassContext &context) {
  return LossMaker(graph, context).run() && graph.sort() && Differentiator(graph, context).run();
}

} // namespace cnnc
