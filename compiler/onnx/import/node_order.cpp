#include "compiler/onnx/import/node_order.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

class Order {
public:
  Order(const onnx::GraphProto &graph, const std::function<bool(const std::string &)> &is_known,
        Importer &importer)
      : graph_(graph), is_known_(is_known), importer_(importer),
        states_(static_cast<size_t>(graph.node_size()), State::unneeded) {
    for (const onnx::NodeProto &node : graph.node())
      reads_.push_back(names_read(node));
  }

  std::optional<std::vector<const onnx::NodeProto *>> run() {
    if (!find_producers())
      return std::nullopt;
    for (const onnx::ValueInfoProto &output : graph_.output())
      need(output.name(), fmt::format("output '{}'", printable(output.name())));
    for (size_t i = 0; ok_ && i < pending_.size(); ++i)
      for (const std::string &name : reads_[pending_[i]])
        need(name, describe(node(pending_[i])));
    for (size_t i = 0; ok_ && i < states_.size(); ++i)
      if (states_[i] == State::needed)
        place(i);
    return ok_ ? std::optional(std::move(order_)) : std::nullopt;
  }

private:
  enum class State : uint8_t { unneeded, needed, open, placed };

  const onnx::NodeProto &node(size_t index) const { return graph_.node(static_cast<int>(index)); }

  void report(std::string part, std::string message) {
    importer_.diagnostics().error(importer_.part(std::move(part)), std::move(message));
    ok_ = false;
  }

  bool find_producers() {
    for (size_t i = 0; i < states_.size(); ++i)
      for (const std::string &output : node(i).output())
        if (!output.empty() && (is_known_(output) || !producers_.emplace(output, i).second))
          report(describe(node(i)),
                 fmt::format("its output '{}' is defined before", printable(output)));
    return ok_;
  }

  void need(const std::string &name, const std::string &user) {
    if (auto producer = producers_.find(name); producer != producers_.end()) {
      if (states_[producer->second] == State::unneeded) {
        states_[producer->second] = State::needed;
        pending_.push_back(producer->second);
      }
    } else if (!is_known_(name)) {
      report(user,
             fmt::format("'{}' is not defined by any node, input or initializer", printable(name)));
    }
  }

  /// Places a node behind those that it reads; without recursion, as chains may be long.
  void place(size_t first) {
    std::vector<std::pair<size_t, size_t>> stack = {{first, 0}}; // node, next of what it reads
    states_[first] = State::open;
    while (!stack.empty()) {
      auto &[index, next] = stack.back();
      if (next == reads_[index].size()) {
        states_[index] = State::placed;
        order_.push_back(&node(index));
        stack.pop_back();
        continue;
      }
      auto producer = producers_.find(reads_[index][next++]);
      if (producer == producers_.end())
        continue;
      if (states_[producer->second] == State::open)
        return report(describe(node(producer->second)),
                      "it depends on its own output: the graph has a cycle");
      if (states_[producer->second] == State::needed) {
        states_[producer->second] = State::open;
        stack.emplace_back(producer->second, 0);
      }
    }
  }

  const onnx::GraphProto &graph_;
  const std::function<bool(const std::string &)> &is_known_;
  Importer &importer_;
  std::vector<State> states_;
  std::vector<std::vector<std::string>> reads_; // of each node
  std::unordered_map<std::string, size_t> producers_;
  std::vector<size_t> pending_;
  std::vector<const onnx::NodeProto *> order_;
  bool ok_ = true;
};

/// What a graph inside of a node reads, but does not define.
std::vector<std::string> names_from_around(const onnx::GraphProto &graph) {
  std::unordered_set<std::string> known;
  for (const onnx::ValueInfoProto &input : graph.input())
    known.insert(input.name());
  for (const onnx::TensorProto &tensor : graph.initializer())
    known.insert(tensor.name());
  for (const onnx::NodeProto &node : graph.node())
    known.insert(node.output().begin(), node.output().end());
  std::vector<std::string> names;
  auto read = [&](const std::string &name) {
    if (known.insert(name).second) // once
      names.push_back(name);
  };
  for (const onnx::NodeProto &node : graph.node())
    std::ranges::for_each(names_read(node), read);
  for (const onnx::ValueInfoProto &output : graph.output())
    read(output.name());
  return names;
}

} // namespace

std::vector<std::string> names_read(const onnx::NodeProto &node) {
  std::vector<std::string> names;
  for (const std::string &input : node.input())
    if (!input.empty())
      names.push_back(input);
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.has_g())
      for (std::string &name : names_from_around(attribute.g()))
        names.push_back(std::move(name));
  return names;
}

std::string describe(const onnx::NodeProto &node) {
  std::string name = node.name();
  if (name.empty() && node.output_size() > 0)
    name = node.output(0);
  return fmt::format("node '{}' ({})", printable(name), printable(node.op_type()));
}

std::optional<std::vector<const onnx::NodeProto *>>
nodes_in_order(const onnx::GraphProto &graph,
               const std::function<bool(const std::string &)> &is_known, Importer &importer) {
  return Order(graph, is_known, importer).run();
}

} // namespace cnnc
