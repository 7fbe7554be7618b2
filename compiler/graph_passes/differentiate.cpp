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
//     ...
//     %y.gradient = mul %mul.1, %loss.gradient
//     %transpose = transpose %y.gradient permutation=[1, 0]
//     %w.gradient = matmul %transpose, %x
//     return %loss, %w.gradient
//   }
//
// Every op has its rule in ir/graph/gradients, in terms of other ops. The passes behind this one
// see one graph, forward and backward.
//
// A model whose first output is not one number gets a loss (training/loss.h).
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/support/wildcard.h"
#include "compiler/training/gradients.h"
#include "compiler/training/loss.h"
#include "ir/graph/gradients/backward.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

bool matches(const Graph &graph, ValueId id, const std::string &pattern) {
  return matches_wildcard(pattern, weight_name(graph, id)) ||
         matches_wildcard(pattern, graph.value(id).name);
}

/// What the patterns name: all weights, when there are none. Empty after an error.
std::vector<ValueId> find_targets(const Graph &graph, PassContext &context) {
  std::vector<std::string> patterns = context.gradients.of;
  const bool all = patterns.empty();
  if (all)
    patterns.push_back("*");
  std::vector<ValueId> targets;
  for (const std::string &pattern : patterns) {
    bool found = false;
    for (ValueId id = 0; id < graph.values.size(); ++id) {
      const bool candidate = is_parameter(graph, id) ||
                             (!all && graph.is_input(id) && graph.type(id).dtype == DType::f32);
      if (!candidate || !matches(graph, id, pattern))
        continue;
      found = true;
      if (std::ranges::find(targets, id) == targets.end())
        targets.push_back(id);
    }
    if (!found) {
      context.diagnostics.error(
          graph.range,
          all ? "this model has no weights; name the inputs whose gradients are "
                "wanted, as in --gradients-of=image"
              : fmt::format("no weight and no input of f32 has a name like '{}'", pattern));
      return {};
    }
  }
  return targets;
}

/// The gradient under its name. One that several values share is named after another of them: a
/// view of it is returned.
ValueId named_output(Graph &graph, ValueId target, ValueId gradient) {
  const std::string name = gradient_name(graph, target);
  if (graph.value(gradient).name == name)
    return gradient;
  const TensorType &type = graph.type(gradient);
  return graph.add_node(Reshape{type.shape}, {gradient}, name, type);
}

} // namespace

bool differentiate(Graph &graph, PassContext &context) {
  if (!add_loss(graph, context) || !graph.sort())
    return false;
  const std::vector<ValueId> targets = find_targets(graph, context);
  if (targets.empty())
    return false;
  const std::optional<std::vector<ValueId>> gradients = add_gradients(graph, targets, context);
  if (!gradients)
    return false;
  for (size_t i = 0; i < targets.size(); ++i)
    graph.outputs.push_back(named_output(graph, targets[i], (*gradients)[i]));
  graph.output_ranges.clear();
  const bool sorted = graph.sort();
  graph.erase_dead_nodes();
  return sorted;
}

} // namespace cnnc
