// A step of gradient descent: from a model, a model that takes the weights as inputs, together with
// what the optimizer keeps of them and a rate, and returns the loss and what all of them are next,
// each in the memory of its input.
//
//   model @m(%x: f32[8, 4]) {
//     %w = weight "w" : f32[3, 4]
//     %y = dense %x, %w
//     return %y
//   }
// becomes
//   model @m(%x: f32[8, 4], %labels: i64[8], %rate: f32[], %w: f32[3, 4], %step: f32[],
//            %w.momentum: f32[3, 4]) {
//     %y = dense %x, %w
//     %loss = cross_entropy %y, %labels
//     ...
//     %w.gradient = matmul %transpose, %x
//     %c0.9 = splat 0.9 : f32[]
//     %mul.2 = mul %w.momentum, %c0.9
//     %w.momentum.next = add %mul.2, %w.gradient
//     %mul.3 = mul %rate, %w.momentum.next
//     %w.next = sub %w, %mul.3
//     return %loss, %w.next in %w, %w.momentum.next in %w.momentum, %step.next in %step
//   }
//
// Batch norms use the statistics of the batch, whose running means are part of the state, and
// dropout drops. Weights that are frozen stay constants: nothing is computed for them.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/pass/rewrite.h"
#include "compiler/support/wildcard.h"
#include "compiler/training/gradients.h"
#include "compiler/training/loss.h"
#include "compiler/training/optimizer.h"
#include "compiler/training/training_mode.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <numeric>

namespace cnnc {

namespace {

/// "!fc.*" in a list of what is frozen: but not these.
bool is_exception(std::string_view pattern) { return pattern.starts_with('!'); }

std::string_view names_of(std::string_view pattern) {
  return pattern.substr(is_exception(pattern) ? 1 : 0);
}

class StepMaker {
public:
  StepMaker(Graph &graph, PassContext &context)
      : graph_(graph), context_(context), optimizer_(context.gradients.optimizer) {}

  bool run() {
    graph_.outputs.resize(1); // the loss alone
    graph_.output_ranges.clear();
    rate_ = add_input("rate", {});
    if (!make_inputs_of_weights())
      return false;
    const ValueId step = add_input("step", {});
    const Term next_step = Term(graph_, step) + 1;
    std::vector<std::pair<ValueId, ValueId>> next = use_batch_statistics(graph_, context_);
    drop_elements(graph_, {graph_, step});
    if (!graph_.sort())
      return false;
    const std::optional<std::vector<ValueId>> gradients = add_gradients(graph_, trained_, context_);
    if (!gradients || !graph_.sort())
      return false;
    const auto first_update = static_cast<NodeId>(graph_.nodes.size());
    for (size_t i = 0; i < trained_.size(); ++i)
      update(trained_[i], (*gradients)[i], next_step, next);
    next.emplace_back(step, next_step.id());
    return_state(next);
    move_updates_up(first_update, *gradients);
    const bool sorted = graph_.sort();
    graph_.erase_dead_nodes();
    return sorted;
  }

private:
  ValueId add_input(const std::string &name, std::vector<int64_t> shape) {
    const ValueId id = graph_.add_value(graph_.unique_value_name(name),
                                        TensorType{DType::f32, std::move(shape), "", {}});
    graph_.inputs.push_back(id);
    return id;
  }

  /// The last pattern that matches decides.
  bool is_frozen(const std::string &name) const {
    bool frozen = false;
    for (const std::string &pattern : optimizer_.freeze)
      if (matches_wildcard(names_of(pattern), name))
        frozen = !is_exception(pattern);
    return frozen;
  }

  /// Every weight of the file that is not frozen, under its name in the file.
  bool make_inputs_of_weights() {
    if (!check_patterns())
      return false;
    std::map<std::string, ValueId> known; // two values may be one weight
    for (NodeId id = 0, count = static_cast<NodeId>(graph_.nodes.size()); id < count; ++id) {
      if (!is_one_of<Weight, Random>(graph_.nodes[id].op))
        continue;
      const ValueId weight = graph_.nodes[id].results[0];
      const std::string name = weight_name(graph_, weight);
      if (graph_.type(weight).dtype != DType::f32 || is_frozen(name))
        continue;
      const bool trained = is_parameter(graph_, weight);
      auto [entry, added] = known.emplace(name, no_id);
      if (added) {
        graph_.rename(weight, graph_.unique_value_name(name + ".before"));
        entry->second = add_input(name, graph_.type(weight).shape);
        if (trained)
          trained_.push_back(entry->second);
      }
      graph_.replace_uses(weight, entry->second);
    }
    if (trained_.empty())
      context_.diagnostics.error(graph_.range, optimizer_.freeze.empty()
                                                   ? "this model has no weights to train"
                                                   : "all weights are frozen: nothing is left to "
                                                     "train");
    return !trained_.empty();
  }

  bool check_patterns() const {
    bool ok = true;
    if (!optimizer_.freeze.empty() && is_exception(optimizer_.freeze.front())) {
      context_.diagnostics.error(
          graph_.range, fmt::format("'{0}' takes weights back from the patterns before it, but it "
                                    "is the first one: say '*,{0}' to freeze all others",
                                    optimizer_.freeze.front()));
      return false;
    }
    for (const std::string &pattern : optimizer_.freeze) {
      const bool used = std::ranges::any_of(graph_.nodes, [&](const Node &node) {
        return is_one_of<Weight, Random>(node.op) &&
               matches_wildcard(names_of(pattern), weight_name(graph_, node.results[0]));
      });
      if (!used)
        context_.diagnostics.error(
            graph_.range, fmt::format("no weight has a name like '{}'", names_of(pattern)));
      ok = ok && used;
    }
    return ok;
  }

  void update(ValueId weight, ValueId gradient, const Term &step,
              std::vector<std::pair<ValueId, ValueId>> &next) {
    std::vector<Term> moments;
    for (const std::string &suffix : moments_of(optimizer_))
      moments.emplace_back(
          graph_, add_input(graph_.value(weight).name + "." + suffix, graph_.type(weight).shape));
    const std::vector<Term> results = updated_weight(
        optimizer_, {graph_, weight}, {graph_, gradient}, moments, {graph_, rate_}, step);
    next.emplace_back(weight, results[0].id());
    for (size_t i = 0; i < moments.size(); ++i)
      next.emplace_back(moments[i].id(), results[i + 1].id());
  }

  void return_state(const std::vector<std::pair<ValueId, ValueId>> &next) {
    graph_.updated.assign(1, no_id);
    for (const auto &[input, value] : next) {
      graph_.rename(value, graph_.unique_value_name(graph_.value(input).name + ".next"));
      graph_.outputs.push_back(value);
      graph_.updated.push_back(input);
    }
  }

  /// Puts the nodes from `first` on, the updates, right behind the gradients of their weights and the
  /// last reader of what they overwrite, so that gradients are not kept to the end of the step.
  void move_updates_up(NodeId first, const std::vector<ValueId> &gradients) {
    const std::vector<NodeId> behind = places_of_updates(first, gradients);
    std::vector<NodeId> order(graph_.nodes.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](NodeId id) { return behind[id]; });
    reorder(graph_, order);
  }

  /// For each node from `first` on the one before `first` behind which it shall stand.
  std::vector<NodeId> places_of_updates(NodeId first, const std::vector<ValueId> &gradients) const {
    std::vector<ValueId> overwritten(graph_.nodes.size(), no_id); // by each node
    for (size_t i = 1; i < graph_.outputs.size(); ++i)            // behind the loss
      overwritten[graph_.value(graph_.outputs[i]).producer] = graph_.updated_by(i);
    std::vector<NodeId> behind(graph_.nodes.size(), 0);
    std::iota(behind.begin(), behind.begin() + first, 0);
    std::vector<bool> waits(graph_.nodes.size(), false); // for a gradient
    for (ValueId gradient : gradients)
      if (!graph_.is_input(gradient))
        waits[graph_.value(gradient).producer] = true;
    for (NodeId id = first; id < graph_.nodes.size(); ++id) {
      for (ValueId operand : graph_.nodes[id].operands)
        if (const NodeId producer = graph_.value(operand).producer; producer != no_id) {
          behind[id] = std::max(behind[id], behind[producer]);
          waits[id] = waits[id] || waits[producer];
        }
      if (overwritten[id] != no_id)
        for (NodeId reader : graph_.value(overwritten[id]).users)
          behind[id] = std::max(behind[id], behind[reader]);
    }
    // What waits for none, as a momentum that decays, stands with what reads it first: a kernel runs
    // where its first member stands.
    for (auto id = static_cast<NodeId>(graph_.nodes.size()); id-- > first;)
      if (!waits[id])
        if (const std::vector<NodeId> &users = graph_.value(graph_.nodes[id].results[0]).users;
            !users.empty())
          behind[id] =
              behind[*std::ranges::min_element(users, {}, [&](NodeId u) { return behind[u]; })];
    return behind;
  }

  Graph &graph_;
  PassContext &context_;
  const OptimizerRequest &optimizer_;
  ValueId rate_ = no_id;
  std::vector<ValueId> trained_;
};

} // namespace

bool make_training_step(Graph &graph, PassContext &context) {
  return add_loss(graph, context) && graph.sort() && StepMaker(graph, context).run();
}

} // namespace cnnc
