#include "compiler/training/loss.h"

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

} // namespace

bool add_loss(Graph &graph, PassContext &context) { return LossMaker(graph, context).run(); }

} // namespace cnnc
