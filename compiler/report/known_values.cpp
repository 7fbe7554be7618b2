#include "compiler/report/known_values.h"

#include "compiler/layout/tensor_layout.h"
#include "compiler/tensor/narrow.h"

namespace cnnc::report {

namespace {

bool only_moves(const Op &op) {
  const Category category = category_of(op);
  return category == Category::view || category == Category::movement ||
         std::holds_alternative<Relayout>(op);
}

} // namespace

const std::string &KnownValues::name_of(ValueId id) const {
  const Value &value = graph_.value(id);
  if (computed_.contains(value.name))
    return value.name;
  for (NodeId user : value.users)
    if (std::holds_alternative<Relayout>(graph_.nodes[user].op)) {
      const std::string &name = graph_.value(graph_.nodes[user].results[0]).name;
      if (computed_.contains(name))
        return name;
    }
  return value.name;
}

std::optional<Tensor> KnownValues::find(ValueId id) const {
  Diagnostics ignored; // what is not known is not shown
  if (graph_.is_constant(id)) {
    std::optional<Tensor> constant = constants_(id, ignored);
    return constant && is_narrow(constant->type().dtype) ? widened(*constant) : constant;
  }
  const Value &value = graph_.value(id);
  if (const auto known = computed_.find(name_of(id)); known != computed_.end())
    return known->second;
  if (value.producer == no_id || !only_moves(graph_.nodes[value.producer].op))
    return std::nullopt;
  const Node &node = graph_.nodes[value.producer];
  std::vector<Tensor> operands;
  for (ValueId operand : node.operands) {
    std::optional<Tensor> tensor = find(operand);
    if (!tensor)
      return std::nullopt;
    operands.push_back(std::move(*tensor));
  }
  std::vector<const Tensor *> pointers;
  std::vector<TensorType> types;
  for (const Tensor &operand : operands)
    pointers.push_back(&operand);
  for (ValueId result : node.results)
    types.push_back(logical_type(one_image(graph_.type(result)), 1));
  std::optional<std::vector<Tensor>> results = evaluate(node.op, pointers, types, ignored);
  for (size_t i = 0; results && i < results->size(); ++i)
    if (node.results[i] == id)
      return std::move((*results)[i]);
  return std::nullopt;
}

} // namespace cnnc::report
