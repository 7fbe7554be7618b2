#include "ir/graph/graph.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>
#include <fmt/format.h>
#include <numeric>

namespace cnnc {

std::optional<ValueId> Graph::find_value(std::string_view value_name) const {
  for (ValueId id = 0; id < values.size(); ++id)
    if (values[id].name == value_name)
      return id;
  return std::nullopt;
}

std::string Graph::unique_value_name(std::string_view base) const {
  auto taken = [&](const std::string &candidate) {
    return std::any_of(values.begin(), values.end(),
                       [&](const Value &value) { return value.name == candidate; });
  };
  std::string result(base);
  for (int i = 1; taken(result); ++i)
    result = fmt::format("{}.{}", base, i);
  return result;
}

ValueId Graph::add_value(std::string value_name, std::optional<TensorType> type) {
  values.push_back({std::move(value_name), std::move(type)});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_node(Op op, std::vector<ValueId> operands, std::string result_name,
                        TensorType type) {
  ValueId result = add_value(unique_value_name(result_name), std::move(type));
  values[result].producer = static_cast<NodeId>(nodes.size());
  nodes.push_back({std::move(op), std::move(operands), {result}});
  return result;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (Node &node : nodes)
    std::replace(node.operands.begin(), node.operands.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

std::vector<std::vector<NodeId>> Graph::users() const {
  std::vector<std::vector<NodeId>> result(values.size());
  for (NodeId id = 0; id < nodes.size(); ++id)
    for (ValueId operand : nodes[id].operands)
      if (result[operand].empty() || result[operand].back() != id)
        result[operand].push_back(id);
  return result;
}

bool Graph::is_output(ValueId id) const {
  return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

std::vector<bool> Graph::constant_values() const {
  std::vector<bool> constant(values.size(), false);
  for (const Node &node : nodes) {
    bool all =
        is_constant_source(node.op) ||
        (!node.operands.empty() && node.kernel == no_id && !std::holds_alternative<Call>(node.op) &&
         std::all_of(node.operands.begin(), node.operands.end(),
                     [&](ValueId operand) { return constant[operand]; }));
    for (ValueId result : node.results)
      constant[result] = all;
  }
  return constant;
}

bool Graph::sort(NodeId *cycle) {
  // One vertex per kernel or single node, numbered by first member; edges to what it depends on.
  // Boost's depth-first topological sort visits vertices by number and emits dependencies first, so
  // that a graph that is in order already keeps its order.
  std::vector<uint32_t> vertex_of(nodes.size());
  std::vector<std::vector<NodeId>> members;
  std::vector<uint32_t> kernel_vertex(kernels.size(), no_id);
  for (NodeId id = 0; id < nodes.size(); ++id) {
    KernelId kernel = nodes[id].kernel;
    bool first = kernel == no_id || kernel_vertex[kernel] == no_id;
    uint32_t vertex = first ? static_cast<uint32_t>(members.size()) : kernel_vertex[kernel];
    if (first)
      members.emplace_back();
    if (kernel != no_id)
      kernel_vertex[kernel] = vertex;
    members[vertex].push_back(id);
    vertex_of[id] = vertex;
  }
  boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS> dependences(members.size());
  // Inside a kernel the members are ordered by a sort of their own.
  boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS> inner(nodes.size());
  for (NodeId id = 0; id < nodes.size(); ++id)
    for (ValueId operand : nodes[id].operands) {
      NodeId producer = values[operand].producer;
      if (producer == no_id)
        continue;
      if (vertex_of[producer] == vertex_of[id])
        add_edge(id, producer, inner);
      else
        add_edge(vertex_of[id], vertex_of[producer], dependences);
    }
  std::vector<uint32_t> order, inner_order;
  try {
    topological_sort(dependences, std::back_inserter(order));
    topological_sort(inner, std::back_inserter(inner_order));
  } catch (const boost::not_a_dag &) {
    if (cycle)
      *cycle = order.empty() ? 0 : members[order.back()].front();
    return false;
  }
  std::vector<uint32_t> inner_position(nodes.size());
  for (uint32_t i = 0; i < inner_order.size(); ++i)
    inner_position[inner_order[i]] = i;
  std::vector<Node> sorted;
  sorted.reserve(nodes.size());
  for (uint32_t vertex : order) {
    std::sort(members[vertex].begin(), members[vertex].end(),
              [&](NodeId a, NodeId b) { return inner_position[a] < inner_position[b]; });
    for (NodeId id : members[vertex]) {
      for (ValueId result : nodes[id].results)
        values[result].producer = static_cast<NodeId>(sorted.size());
      sorted.push_back(std::move(nodes[id]));
    }
  }
  nodes = std::move(sorted);
  return true;
}

void Graph::erase_nodes(const std::vector<bool> &dead) {
  std::vector<ValueId> new_value(values.size(), no_id);
  std::vector<KernelId> new_kernel(kernels.size(), no_id);
  std::vector<Value> kept_values;
  std::vector<KernelGroup> kept_kernels;
  std::vector<Node> kept_nodes;
  auto keep = [&](ValueId id) {
    new_value[id] = static_cast<ValueId>(kept_values.size());
    kept_values.push_back(std::move(values[id]));
  };
  for (ValueId input : inputs)
    keep(input);
  for (NodeId id = 0; id < nodes.size(); ++id) {
    if (dead[id])
      continue;
    Node &node = nodes[id];
    for (ValueId result : node.results) {
      keep(result);
      kept_values.back().producer = static_cast<NodeId>(kept_nodes.size());
    }
    if (node.kernel != no_id) {
      if (new_kernel[node.kernel] == no_id) {
        new_kernel[node.kernel] = static_cast<KernelId>(kept_kernels.size());
        kept_kernels.push_back(std::move(kernels[node.kernel]));
      }
      node.kernel = new_kernel[node.kernel];
    }
    kept_nodes.push_back(std::move(node));
  }
  auto renumber = [&](std::vector<ValueId> &ids) {
    for (ValueId &id : ids)
      id = new_value[id];
  };
  for (Node &node : kept_nodes) {
    renumber(node.operands);
    renumber(node.results);
  }
  renumber(inputs);
  renumber(outputs);
  values = std::move(kept_values);
  nodes = std::move(kept_nodes);
  kernels = std::move(kept_kernels);
}

std::vector<std::vector<NodeId>> kernel_members(const Graph &graph) {
  std::vector<std::vector<NodeId>> members(graph.kernels.size());
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    if (graph.nodes[id].kernel != no_id)
      members[graph.nodes[id].kernel].push_back(id);
  return members;
}

KernelInterface interface_of(const Graph &graph, KernelId kernel) {
  KernelInterface result;
  std::vector<std::vector<NodeId>> users = graph.users();
  auto inside = [&](NodeId id) { return id != no_id && graph.nodes[id].kernel == kernel; };
  for (const Node &node : graph.nodes) {
    if (node.kernel != kernel)
      continue;
    for (ValueId operand : node.operands) {
      bool seen =
          std::find(result.inputs.begin(), result.inputs.end(), operand) != result.inputs.end();
      if (!inside(graph.values[operand].producer) && !seen)
        result.inputs.push_back(operand);
    }
    for (ValueId value : node.results) {
      bool read_outside = std::any_of(users[value].begin(), users[value].end(),
                                      [&](NodeId user) { return !inside(user); });
      if (read_outside || graph.is_output(value) || users[value].empty())
        result.outputs.push_back(value);
    }
  }
  return result;
}

InferContext infer_context(const Graph &graph, const Node &node, Diagnostics &diagnostics) {
  std::vector<TensorType> operands, declared;
  for (ValueId operand : node.operands)
    operands.push_back(graph.type(operand));
  for (ValueId result : node.results)
    if (graph.values[result].type)
      declared.push_back(*graph.values[result].type);
  InferContext::Locations locations;
  locations.op = node.range;
  locations.operands = node.operand_ranges;
  locations.attribute = [ranges = node.attribute_ranges](std::string_view name) {
    for (const auto &[attribute, range] : ranges)
      if (attribute == name)
        return range;
    return SourceRange{};
  };
  InferContext context(std::move(operands), std::move(declared), std::move(locations), diagnostics);
  std::vector<std::span<const double>> listed;
  for (ValueId operand : node.operands) {
    NodeId producer = graph.values[operand].producer;
    const Op *op = producer == no_id ? nullptr : &graph.nodes[producer].op;
    const auto *literal = op ? std::get_if<Literal>(op) : nullptr;
    const auto *splat = op ? std::get_if<Splat>(op) : nullptr;
    listed.push_back(literal ? std::span<const double>(literal->values)
                     : splat ? std::span<const double>(&splat->value, 1)
                             : std::span<const double>());
  }
  context.set_listed(std::move(listed));
  return context;
}

} // namespace cnnc
