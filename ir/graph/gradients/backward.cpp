#include "ir/graph/gradients/backward.h"

#include <cassert>
#include <fmt/format.h>

namespace cnnc {

std::string gradient_name(const Graph &graph, ValueId value) {
  return graph.value(value).name + ".gradient";
}

std::optional<ValueId> Gradients::find(ValueId value) const {
  if (value >= gradients_.size() || gradients_[value] == no_id)
    return std::nullopt;
  return gradients_[value];
}

void Gradients::add(ValueId value, ValueId gradient) {
  if (value >= gradients_.size())
    gradients_.resize(graph_.values.size(), no_id);
  const std::string name = gradient_name(graph_, value);
  ValueId &known = gradients_[value];
  // The name is that of the whole sum, not of what it has been so far.
  if (known != no_id && named_.contains(known) && graph_.value(known).name == name)
    graph_.rename(known, graph_.unique_value_name(name));
  known = known == no_id ? gradient : (Term(graph_, known) + Term(graph_, gradient)).id();
  // What is made of the gradient is named after the value.
  const bool made_here = value < first_made_ && known >= first_made_ && !named_.contains(known);
  if (!made_here)
    return;
  graph_.rename(known, graph_.unique_value_name(name));
  named_.insert(known);
}

void Gradients::replace(ValueId from, ValueId to) {
  if (std::optional<ValueId> known = find(from)) {
    gradients_.resize(graph_.values.size(), no_id);
    gradients_[to] = *known;
  }
}

bool Backward::wants(size_t operand) const {
  if (operand >= operand_count())
    return false;
  const ValueId value = graph_.nodes[node_].operands[operand];
  return value < wanted_.size() && wanted_[value];
}

bool Backward::has_gradient(size_t result) const {
  return gradients_.find(graph_.nodes[node_].results[result]).has_value();
}

Term Backward::gradient(size_t result) const {
  const std::optional<ValueId> known = gradients_.find(graph_.nodes[node_].results[result]);
  if (known)
    return {graph_, *known};
  return filled(this->result(result), 0, this->result(result).shape());
}

void Backward::give(size_t operand, const Term &gradient) {
  if (!wants(operand))
    return;
  const Term value = this->operand(operand);
  const Term full = expand(as_value(graph_, gradient), value.shape());
  assert(full.shape() == value.shape() && full.type().dtype == DType::f32);
  gradients_.add(value.id(), full.id());
}

void Backward::give_summed(size_t operand, const Term &gradient) {
  if (wants(operand))
    give(operand, sum_to(as_value(graph_, gradient), this->operand(operand).shape()));
}

void Backward::replace_result(size_t result, const Term &value) {
  const ValueId before = graph_.nodes[node_].results[result];
  gradients_.replace(before, value.id());
  graph_.replace_uses(before, value.id());
  graph_.swap_names(before, value.id());
}

void Backward::name(const Term &value, std::string_view what) {
  // replace_result() has swapped names: the result's own is that of what stands for it.
  const std::string &base =
      graph_.value(graph_.nodes[graph_.value(value.id()).producer].results[0]).name;
  graph_.rename(value.id(), graph_.unique_value_name(fmt::format("{}.{}", base, what)));
}

void Backward::no_rule(std::string_view why) {
  diagnostics_.error(
      graph_.nodes[node_].range,
      fmt::format("'{}' has no gradient here: {}", info_of(graph_.nodes[node_].op).name, why));
}

} // namespace cnnc
