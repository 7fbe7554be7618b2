#include "compiler/quantize/weight_store.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace cnnc {

void WeightStore::add(const std::string &name, const Tensor &tensor) {
  Tensor copy(tensor.type());
  std::ranges::copy(tensor.bytes(), copy.mutable_bytes().begin());
  tensors_.emplace(name, std::move(copy));
}

std::shared_ptr<const NamedTensors> WeightStore::tensors_of(const Graph &graph) const {
  auto owner = std::make_shared<std::vector<Tensor>>();
  auto result = std::make_shared<NamedTensors>();
  result->file = "<calibration>";
  std::set<std::string> read;
  for (const Node &node : graph.nodes)
    if (const auto *weight = std::get_if<Weight>(&node.op))
      read.insert(weight->key);
  for (const std::string &name : read) {
    const Tensor &tensor = tensors_.at(name);
    owner->push_back(tensor);
    result->tensors.push_back({name, std::string(info_of(tensor.type().dtype).safetensors),
                               tensor.shape(), tensor.bytes()});
  }
  result->owner = std::move(owner);
  return result;
}

namespace {

/// Whether the text spells the elements out, and no layer has them as its filter or bias.
bool may_stay(const Graph &graph, const Node &node) {
  return is_one_of<Splat, Literal>(node.op) &&
         std::ranges::none_of(graph.value(node.results[0]).users, [&](NodeId user) {
           return is_one_of<Conv2d, Dense>(graph.nodes[user].op);
         });
}

bool is_read(const Graph &graph, ValueId constant) {
  return graph.is_output(constant) ||
         std::ranges::any_of(graph.value(constant).users, [&](NodeId user) {
           return !graph.is_constant(graph.nodes[user].results[0]);
         });
}

/// Constants that something reads which is none.
std::vector<ValueId> constants_read(const Graph &graph) {
  std::vector<ValueId> result;
  for (const Node &node : graph.nodes)
    for (ValueId id : node.results)
      if (graph.is_constant(id) && is_read(graph, id) && !may_stay(graph, node))
        result.push_back(id);
  return result;
}

} // namespace

bool store_constants(Graph &graph, const Constants &constants, WeightStore &store,
                     Diagnostics &diagnostics) {
  const std::vector<ValueId> ids = constants_read(graph);
  for (ValueId id : ids) {
    const std::optional<Tensor> tensor = constants.value(graph, id, diagnostics);
    if (!tensor)
      return false;
    store.add(graph.value(id).name, *tensor);
  }
  for (ValueId id : ids) {
    const std::string name = graph.value(id).name;
    const ValueId weight =
        graph.add_node(Weight{name}, {}, graph.unique_value_name(name), graph.type(id));
    graph.swap_names(id, weight);
    graph.replace_uses(id, weight);
  }
  graph.sort();
  graph.erase_dead_nodes();
  return true;
}

} // namespace cnnc
