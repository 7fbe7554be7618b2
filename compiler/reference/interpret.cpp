#include "compiler/reference/evaluate.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

namespace cnnc {

namespace {

class NodeRunner {
public:
  NodeRunner(const Graph &graph, const ValueProvider &provider, int64_t batch,
             Diagnostics &diagnostics)
      : graph_(graph), provider_(provider), batch_(batch), diagnostics_(diagnostics) {}

  void expect_use(ValueId id) { ++uses_[id]; }

  /// The value for one of its expected uses.
  std::optional<Tensor> use(ValueId id) {
    auto found = values_.find(id);
    size_t uses_left = --uses_[id];
    if (found == values_.end())
      return provider_(id, diagnostics_);
    return uses_left == 0 ? std::move(values_.extract(found).mapped()) : found->second;
  }

  bool run(const Node &node, const ValueObserver &observe) {
    std::vector<Tensor> operands;
    for (ValueId id : node.operands) {
      std::optional<Tensor> operand = use(id);
      if (!operand)
        return false;
      operands.push_back(std::move(*operand));
    }
    std::vector<const Tensor *> pointers;
    for (const Tensor &operand : operands)
      pointers.push_back(&operand);
    std::vector<TensorType> types;
    for (ValueId result : node.results)
      types.push_back(logical_type(graph_.type(result), batch_));
    std::optional<std::vector<Tensor>> results = evaluate(node.op, pointers, types, diagnostics_);
    if (!results && node.range.known())
      diagnostics_.note(node.range, "it stands here");
    if (!results)
      return false;
    for (size_t i = 0; i < node.results.size(); ++i)
      keep(node.results[i], std::move((*results)[i]), observe);
    return true;
  }

private:
  void keep(ValueId id, Tensor tensor, const ValueObserver &observe) {
    if (observe)
      observe(id, tensor);
    if (uses_[id] > 0)
      values_.emplace(id, std::move(tensor));
  }

  const Graph &graph_;
  const ValueProvider &provider_;
  int64_t batch_;
  Diagnostics &diagnostics_;
  std::unordered_map<ValueId, Tensor> values_; // computed, and still to be used
  std::unordered_map<ValueId, size_t> uses_;   // to come
};

/// Checks the inputs. Returns the batch size, 1 when it is static.
std::optional<int64_t> check_inputs(const Graph &graph, const std::vector<Tensor> &inputs,
                                    Diagnostics &diagnostics) {
  if (inputs.size() != graph.inputs.size()) {
    diagnostics.error(fmt::format("model @{} takes {} inputs, but {} are given", graph.name,
                                  graph.inputs.size(), inputs.size()));
    return std::nullopt;
  }
  std::optional<int64_t> batch;
  bool ok = true;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value &input = graph.value(graph.inputs[i]);
    const TensorType &given = inputs[i].type();
    if (!batch && input.type->has_symbolic_batch() && given.rank() > 0 && given.shape[0] > 0)
      batch = given.shape[0];
    TensorType expected = *input.type;
    expected.layout = {};
    if (batch)
      expected = with_batch(expected, *batch);
    if (same_logical_type(expected, given))
      continue;
    diagnostics.error(input.range, fmt::format("input %{} is {}, but {} is given", input.name,
                                               to_string(expected), to_string(given)));
    ok = false;
  }
  return ok ? std::optional(batch.value_or(1)) : std::nullopt;
}

} // namespace

std::optional<std::vector<Tensor>>
run_nodes(const Graph &graph, const std::vector<const Node *> &nodes,
          const std::vector<ValueId> &wanted, const ValueProvider &provider, int64_t batch,
          Diagnostics &diagnostics, const ValueObserver &observe) {
  NodeRunner runner(graph, provider, batch, diagnostics);
  for (const Node *node : nodes)
    std::for_each(node->operands.begin(), node->operands.end(),
                  [&](ValueId operand) { runner.expect_use(operand); });
  for (ValueId id : wanted)
    runner.expect_use(id);
  for (const Node *node : nodes)
    if (!runner.run(*node, observe))
      return std::nullopt;
  std::vector<Tensor> results;
  for (ValueId id : wanted) {
    std::optional<Tensor> result = runner.use(id);
    if (!result)
      return std::nullopt;
    results.push_back(std::move(*result));
  }
  return results;
}

std::optional<std::vector<Tensor>> interpret(const Graph &graph, const std::vector<Tensor> &inputs,
                                             const ValueProvider &constants,
                                             Diagnostics &diagnostics,
                                             const ValueObserver &observe) {
  std::optional<int64_t> batch = check_inputs(graph, inputs, diagnostics);
  if (!batch)
    return std::nullopt;
  std::unordered_map<ValueId, size_t> input_of;
  for (size_t i = 0; i < inputs.size(); ++i)
    input_of.emplace(graph.inputs[i], i);
  auto provider = [&](ValueId id, Diagnostics &to) -> std::optional<Tensor> {
    auto input = input_of.find(id);
    return input == input_of.end() ? constants(id, to) : inputs[input->second];
  };
  std::vector<const Node *> nodes;
  for (const Node &node : graph.nodes)
    if (!graph.is_constant(node.results.front()))
      nodes.push_back(&node);
  return run_nodes(graph, nodes, graph.outputs, provider, *batch, diagnostics, observe);
}

} // namespace cnnc
