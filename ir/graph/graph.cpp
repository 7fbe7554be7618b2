#include "ir/graph/graph.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <utility>

namespace cnnc {

Graph::Graph() = default;
Graph::Graph(const Graph &) = default;
Graph::Graph(Graph &&) noexcept = default;
Graph &Graph::operator=(const Graph &) = default;
Graph &Graph::operator=(Graph &&) noexcept = default;
Graph::~Graph() = default;

std::optional<ValueId> Graph::find_value(std::string_view value_name) const {
  auto found = ids_.find(std::string(value_name));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

namespace {

/// `base`, or base.1, base.2 ... when that is taken.
std::string unique_name(std::string_view base,
                        const std::function<bool(const std::string &)> &taken) {
  std::string result(base);
  for (int i = 1; taken(result); ++i)
    result = fmt::format("{}.{}", base, i);
  return result;
}

} // namespace

std::string Graph::unique_value_name(std::string_view base) const {
  return unique_name(base, [&](const std::string &taken) { return ids_.contains(taken); });
}

ValueId Graph::add_value(std::string value_name, std::optional<TensorType> type) {
  auto id = static_cast<ValueId>(values.size());
  ids_.emplace(value_name, id);
  values.push_back({std::move(value_name), std::move(type)});
  return id;
}

bool Graph::knows_all_names() const {
  return ids_.size() == values.size() &&
         std::all_of(ids_.begin(), ids_.end(), [&](const auto &entry) {
           return entry.second < values.size() && values[entry.second].name == entry.first;
         });
}

void Graph::rename(ValueId id, std::string value_name) {
  ids_.erase(values[id].name);
  ids_[value_name] = id;
  values[id].name = std::move(value_name);
}

void Graph::swap_names(ValueId a, ValueId b) {
  std::swap(values[a].name, values[b].name);
  ids_[values[a].name] = a;
  ids_[values[b].name] = b;
}

ValueId Graph::add_node(Op op, std::vector<ValueId> operands, std::string result_name,
                        TensorType type) {
  ValueId result = add_value(unique_value_name(result_name), std::move(type));
  append({std::move(op), std::move(operands), {result}});
  return result;
}

NodeId Graph::append(Node node) {
  auto id = static_cast<NodeId>(nodes.size());
  bool constant = computes_constant(*this, node);
  for (ValueId result : node.results) {
    values[result].producer = id;
    values[result].constant = constant;
  }
  for (ValueId operand : node.operands)
    add_user(operand, id);
  nodes.push_back(std::move(node));
  return id;
}

KernelId Graph::add_kernel(std::string_view base) {
  if (kernel_names_.size() != kernels.size()) {
    kernel_names_.clear();
    for (const KernelGroup &kernel : kernels)
      kernel_names_.insert(kernel.name);
  }
  const std::string kernel_name =
      unique_name(base, [&](const std::string &wanted) { return kernel_names_.contains(wanted); });
  kernel_names_.insert(kernel_name);
  kernels.push_back({kernel_name, {}, {}});
  return static_cast<KernelId>(kernels.size() - 1);
}

void Graph::enclose(NodeId id) {
  nodes[id].kernel = add_kernel(values[nodes[id].results[0]].name);
  update_constant(id);
}

void Graph::add_user(ValueId value, NodeId user) {
  std::vector<NodeId> &users = values[value].users;
  auto place = std::lower_bound(users.begin(), users.end(), user);
  if (place == users.end() || *place != user)
    users.insert(place, user);
}

void Graph::remove_user(ValueId value, NodeId user) {
  std::vector<NodeId> &users = values[value].users;
  auto place = std::lower_bound(users.begin(), users.end(), user);
  if (place != users.end() && *place == user)
    users.erase(place);
}

void Graph::find_users() {
  for (Value &value : values)
    value.users.clear();
  for (NodeId id = 0; id < nodes.size(); ++id)
    for (ValueId operand : nodes[id].operands)
      if (std::vector<NodeId> &users = values[operand].users; users.empty() || users.back() != id)
        users.push_back(id);
}

void Graph::set_operands(NodeId id, std::vector<ValueId> operands) {
  for (ValueId operand : nodes[id].operands)
    remove_user(operand, id);
  for (ValueId operand : operands)
    add_user(operand, id);
  nodes[id].operands = std::move(operands);
  update_constant(id);
}

void Graph::set_operand(NodeId id, size_t index, ValueId operand) {
  std::vector<ValueId> &operands = nodes[id].operands;
  ValueId before = std::exchange(operands[index], operand);
  if (std::find(operands.begin(), operands.end(), before) == operands.end())
    remove_user(before, id);
  add_user(operand, id);
  update_constant(id);
}

void Graph::redefine(NodeId id, Op op, std::vector<ValueId> operands) {
  Node &node = nodes[id];
  node.op = std::move(op);
  node.operand_ranges.clear();
  node.attribute_ranges.clear();
  set_operands(id, std::move(operands));
}

void Graph::replace_uses(ValueId from, ValueId to) {
  std::replace(outputs.begin(), outputs.end(), from, to);
  if (from == to)
    return;
  std::vector<NodeId> users = std::move(values[from].users);
  values[from].users.clear();
  for (NodeId user : users) {
    std::replace(nodes[user].operands.begin(), nodes[user].operands.end(), from, to);
    add_user(to, user);
  }
  if (values[from].constant != values[to].constant)
    for (NodeId user : users)
      update_constant(user);
}

void Graph::update_constant(NodeId changed) {
  std::vector<NodeId> open = {changed};
  while (!open.empty()) {
    const Node &node = nodes[open.back()];
    open.pop_back();
    bool constant = computes_constant(*this, node);
    if (node.results.empty() || values[node.results[0]].constant == constant)
      continue;
    for (ValueId result : node.results) {
      values[result].constant = constant;
      open.insert(open.end(), values[result].users.begin(), values[result].users.end());
    }
  }
}

bool computes_constant(const Graph &graph, const Node &node) {
  if (category_of(node.op) == Category::constant)
    return true;
  return !node.operands.empty() && node.kernel == no_id && !std::holds_alternative<Call>(node.op) &&
         std::all_of(node.operands.begin(), node.operands.end(),
                     [&](ValueId operand) { return graph.values[operand].constant; });
}

bool Graph::is_output(ValueId id) const {
  return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

namespace {

/// Those who read a value, also as a part of it or in another shape, each appended.
void add_readers(const Graph &graph, ValueId value, std::vector<NodeId> &readers) {
  for (NodeId user : graph.values[value].users) {
    const Node &node = graph.nodes[user];
    readers.push_back(user);
    const View view = traits_of(node.op).view;
    if (node.kernel == no_id && (view == View::whole || view == View::cut))
      for (ValueId result : node.results)
        add_readers(graph, result, readers);
  }
}

/// Who writes the memory of an input, and who reads it: the reader should come first.
struct UpdateOrder {
  NodeId writer, reader;
  size_t output;
};

std::vector<UpdateOrder> orders_of_updates(const Graph &graph) {
  std::vector<UpdateOrder> result;
  std::vector<NodeId> readers;
  for (size_t i = 0; i < std::min(graph.updated.size(), graph.outputs.size()); ++i) {
    const ValueId input = graph.updated_by(i);
    const NodeId writer = graph.values[graph.outputs[i]].producer;
    if (input == no_id || writer == no_id)
      continue;
    readers.clear();
    add_readers(graph, input, readers);
    for (NodeId reader : readers)
      if (reader != writer)
        result.push_back({writer, reader, i});
  }
  return result;
}

/// Operands come before their users, and the members of a kernel stand together.
bool is_sorted(const Graph &graph, const std::vector<UpdateOrder> &updates) {
  for (const UpdateOrder &update : updates)
    if (update.reader > update.writer)
      return false;
  std::vector<bool> closed(graph.kernels.size(), false);
  KernelId open = no_id;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node &node = graph.nodes[id];
    for (ValueId operand : node.operands)
      if (!graph.is_input(operand) && graph.value(operand).producer >= id)
        return false;
    if (node.kernel == open)
      continue;
    if (open != no_id)
      closed[open] = true;
    open = node.kernel;
    if (open != no_id && closed[open])
      return false;
  }
  return true;
}

/// What each vertex of a graph depends on, in one list.
class Dependences {
public:
  /// The edges as (vertex, what it depends on). Those of a vertex keep their order.
  Dependences(size_t vertices, const std::vector<std::pair<uint32_t, uint32_t>> &edges)
      : first_(vertices + 1, 0), targets_(edges.size()) {
    for (const auto &[from, to] : edges)
      ++first_[from + 1];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    std::vector<uint32_t> next(first_.begin(), first_.end() - 1);
    for (const auto &[from, to] : edges)
      targets_[next[from]++] = to;
  }

  /// Appends the vertices, each behind those that it depends on: a depth-first search from one
  /// after the other, so that vertices that are in order already keep their order. False when there
  /// is a cycle; `order` then has what came before it.
  bool sort(std::vector<uint32_t> &order) const {
    enum class State : uint8_t { unseen, open, done };
    std::vector<State> states(first_.size() - 1, State::unseen);
    std::vector<std::pair<uint32_t, uint32_t>> path; // a vertex, and its next edge
    for (uint32_t start = 0; start < states.size(); ++start) {
      if (states[start] != State::unseen)
        continue;
      path.emplace_back(start, first_[start]);
      states[start] = State::open;
      while (!path.empty()) {
        auto &[vertex, edge] = path.back();
        if (edge == first_[vertex + 1]) {
          states[vertex] = State::done;
          order.push_back(vertex);
          path.pop_back();
          continue;
        }
        uint32_t target = targets_[edge++];
        if (states[target] == State::open)
          return false;
        if (states[target] == State::unseen) {
          states[target] = State::open;
          path.emplace_back(target, first_[target]);
        }
      }
    }
    return true;
  }

private:
  std::vector<uint32_t> first_; // of each vertex, among the targets
  std::vector<uint32_t> targets_;
};

} // namespace

bool Graph::sort(NodeId *cycle) {
  const std::vector<UpdateOrder> updates = orders_of_updates(*this);
  if (is_sorted(*this, updates))
    return true;
  // One vertex per kernel or single node, numbered by first member; edges to what it depends on.
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
  // Inside a kernel the members are ordered by a sort of their own.
  std::vector<std::pair<uint32_t, uint32_t>> outer, inner;
  for (NodeId id = 0; id < nodes.size(); ++id)
    for (ValueId operand : nodes[id].operands) {
      NodeId producer = values[operand].producer;
      if (producer == no_id)
        continue;
      if (vertex_of[producer] == vertex_of[id])
        inner.emplace_back(id, producer);
      else
        outer.emplace_back(vertex_of[id], vertex_of[producer]);
    }
  std::vector<uint32_t> order, inner_order;
  auto try_to_sort = [&] {
    order.clear();
    inner_order.clear();
    return Dependences(members.size(), outer).sort(order) &&
           Dependences(nodes.size(), inner).sort(inner_order);
  };
  // Updates are in the order that they can have: first all at once, else one after the other.
  const size_t outer_size = outer.size(), inner_size = inner.size();
  auto add = [&](const UpdateOrder &update) {
    if (vertex_of[update.reader] == vertex_of[update.writer])
      inner.emplace_back(update.writer, update.reader);
    else
      outer.emplace_back(vertex_of[update.writer], vertex_of[update.reader]);
  };
  std::ranges::for_each(updates, add);
  bool sortable = try_to_sort();
  if (!sortable && !updates.empty()) {
    outer.resize(outer_size);
    inner.resize(inner_size);
    for (size_t first = 0, next = 0; first < updates.size(); first = next) {
      const size_t outer_before = outer.size(), inner_before = inner.size();
      for (; next < updates.size() && updates[next].output == updates[first].output; ++next)
        add(updates[next]);
      if (try_to_sort())
        continue;
      outer.resize(outer_before);
      inner.resize(inner_before);
    }
    sortable = try_to_sort();
  }
  if (!sortable) {
    if (cycle)
      *cycle = order.empty() ? 0 : members[order.back()].front();
    return false;
  }
  std::vector<uint32_t> inner_position(nodes.size());
  for (uint32_t i = 0; i < inner_order.size(); ++i)
    inner_position[inner_order[i]] = i;
  std::deque<Node> sorted;
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
  find_users();
  return true;
}

namespace {

/// Values and kernels are numbered in the order of the text.
bool is_numbered(const Graph &graph) {
  ValueId next = 0;
  KernelId kernels = 0;
  auto numbered = [&](const std::vector<ValueId> &ids) {
    return std::all_of(ids.begin(), ids.end(), [&](ValueId id) { return id == next++; });
  };
  if (!numbered(graph.inputs))
    return false;
  for (const Node &node : graph.nodes) {
    if (!numbered(node.results))
      return false;
    if (node.kernel == kernels)
      ++kernels;
    else if (node.kernel != no_id && node.kernel > kernels)
      return false;
  }
  return next == graph.values.size() && kernels == graph.kernels.size();
}

} // namespace

void Graph::erase_nodes(const std::vector<bool> &dead) {
  if (std::find(dead.begin(), dead.end(), true) == dead.end() && is_numbered(*this))
    return;
  std::vector<ValueId> new_value(values.size(), no_id);
  std::vector<KernelId> new_kernel(kernels.size(), no_id);
  std::deque<Value> kept_values;
  std::vector<KernelGroup> kept_kernels;
  std::deque<Node> kept_nodes;
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
  for (ValueId &input : updated)
    input = input == no_id ? no_id : new_value[input];
  values = std::move(kept_values);
  nodes = std::move(kept_nodes);
  kernels = std::move(kept_kernels);
  find_users();
  for (auto entry = ids_.begin(); entry != ids_.end();) {
    entry->second = new_value[entry->second];
    entry = entry->second == no_id ? ids_.erase(entry) : std::next(entry);
  }
}

void Graph::erase_dead_nodes() {
  std::vector<bool> dead(nodes.size(), true);
  std::vector<ValueId> open = outputs;
  while (!open.empty()) {
    NodeId producer = values[open.back()].producer;
    open.pop_back();
    if (producer == no_id || !dead[producer])
      continue;
    dead[producer] = false;
    const std::vector<ValueId> &operands = nodes[producer].operands;
    open.insert(open.end(), operands.begin(), operands.end());
  }
  erase_nodes(dead);
}

std::vector<std::vector<NodeId>> kernel_members(const Graph &graph) {
  std::vector<std::vector<NodeId>> members(graph.kernels.size());
  for (NodeId id = 0; id < graph.nodes.size(); ++id)
    if (graph.nodes[id].kernel != no_id)
      members[graph.nodes[id].kernel].push_back(id);
  return members;
}

std::vector<KernelInterface> kernel_interfaces(const Graph &graph) {
  std::vector<KernelInterface> result(graph.kernels.size());
  for (const Node &node : graph.nodes) {
    if (node.kernel == no_id)
      continue;
    auto inside = [&](NodeId id) { return id != no_id && graph.nodes[id].kernel == node.kernel; };
    auto &[inputs, outputs] = result[node.kernel];
    for (ValueId operand : node.operands)
      if (!inside(graph.values[operand].producer) &&
          std::find(inputs.begin(), inputs.end(), operand) == inputs.end())
        inputs.push_back(operand);
    for (ValueId value : node.results) {
      const std::vector<NodeId> &users = graph.value(value).users;
      if (users.empty() || graph.is_output(value) ||
          !std::all_of(users.begin(), users.end(), inside))
        outputs.push_back(value);
    }
  }
  return result;
}

InferContext infer_context(const Graph &graph, const Node &node, Diagnostics &diagnostics) {
  std::vector<InferContext::Operand> operands;
  operands.reserve(node.operands.size());
  for (ValueId operand : node.operands) {
    NodeId producer = graph.values[operand].producer;
    const Op *op = producer == no_id ? nullptr : &graph.nodes[producer].op;
    const auto *literal = op ? std::get_if<Literal>(op) : nullptr;
    const auto *splat = op ? std::get_if<Splat>(op) : nullptr;
    operands.push_back({&graph.type(operand),
                        literal ? std::span<const double>(literal->values)
                        : splat ? std::span<const double>(&splat->value, 1)
                                : std::span<const double>(),
                        graph.is_constant(operand)});
  }
  std::vector<const TensorType *> declared;
  declared.reserve(node.results.size());
  for (ValueId result : node.results)
    if (graph.values[result].type)
      declared.push_back(&graph.type(result));
  return {std::move(operands),
          std::move(declared),
          {&node.range, node.operand_ranges, node.attribute_ranges},
          diagnostics};
}

} // namespace cnnc
