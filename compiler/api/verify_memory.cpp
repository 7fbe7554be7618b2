#include "compiler/api/verify_memory.h"

#include "compiler/constants/memory.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

class VerifyMemory {
public:
  VerifyMemory(Session &session, const Graph &before, const ProgramLayout &layout)
      : session_(session), before_(before), most_(session.max_memory()) {
    used_ = layout.description.weights_size;
  }

  /// The inputs as the caller makes them and as tensors.
  bool take_inputs(const Graph &written) {
    return std::ranges::all_of(written.inputs, [&](ValueId id) {
      return take(written, id, 2 * reference_size(written, id));
    });
  }

  /// The outputs stay to the end.
  bool interpret(const Graph &written) {
    std::vector<const Node *> nodes;
    for (const Node &node : written.nodes)
      if (!written.is_constant(node.results.front()) && !std::holds_alternative<Call>(node.op))
        nodes.push_back(&node);
    if (!fits(written, first_beyond(written, nodes, written.outputs, left())))
      return false;
    return std::ranges::all_of(written.outputs, [&](ValueId id) {
      return take(written, id, reference_size(written, id));
    });
  }

  /// Results of kernels stay to the end; what the reference computes for one, until the next.
  bool run(const ProgramLayout &layout) {
    const Graph &lowered = session_.model();
    used_ += std::min<uint64_t>(left(), layout.description.workspace_size);
    for (ValueId id : lowered.outputs)
      if (!take(lowered, id, reference_size(lowered, id)))
        return false;
    const std::vector<std::vector<NodeId>> members = kernel_members(before_);
    return std::ranges::all_of(lowered.nodes, [&](const Node &node) {
      return !std::holds_alternative<Call>(node.op) || run(node, members);
    });
  }

private:
  bool run(const Node &call, const std::vector<std::vector<NodeId>> &members) {
    const Graph &lowered = session_.model();
    if (!follow(call, members))
      return false;
    return std::ranges::all_of(
        call.results, [&](ValueId id) { return take(lowered, id, reference_size(lowered, id)); });
  }

  /// The ops of the kernel, or its loops on copies of all buffers.
  bool follow(const Node &call, const std::vector<std::vector<NodeId>> &members) {
    const Graph &lowered = session_.model();
    std::vector<ValueId> results;
    for (ValueId id : call.results)
      if (auto known = before_.find_value(lowered.value(id).name);
          known && before_.value(*known).producer != no_id)
        results.push_back(*known);
    const KernelId kernel =
        results.empty() ? no_id : before_.nodes[before_.value(results.front()).producer].kernel;
    if (kernel == no_id) {
      uint64_t copies = 0;
      for (const std::vector<ValueId> *ids : {&call.operands, &call.results})
        for (ValueId id : *ids)
          copies += 3 * static_cast<uint64_t>(byte_size(lowered.type(id)).value_or(0));
      return fits(lowered, copies > left() ? std::optional(Beyond{call.results.front(), copies})
                                           : std::nullopt);
    }
    std::vector<const Node *> nodes;
    for (NodeId member : members[kernel])
      nodes.push_back(&before_.nodes[member]);
    return fits(before_, first_beyond(before_, nodes, results, left()));
  }

  uint64_t left() const { return most_ - std::min(most_, used_); }

  bool take(const Graph &graph, ValueId id, uint64_t bytes) {
    if (!fits(graph, bytes > left() ? std::optional(Beyond{id, bytes}) : std::nullopt))
      return false;
    used_ += bytes;
    return true;
  }

  bool fits(const Graph &graph, const std::optional<Beyond> &beyond) {
    if (!beyond)
      return true;
    const Value &value = graph.value(beyond->value);
    session_.diagnostics().error(
        value.range,
        fmt::format("the value %{} is {}: with it verifying takes {} bytes, but {} are "
                    "the most (--max-memory)",
                    format_name(value.name), to_string(*value.type), used_ + beyond->bytes, most_));
    return false;
  }

  Session &session_;
  const Graph &before_;
  const uint64_t most_;
  uint64_t used_;
};

} // namespace

bool check_verify_memory(Session &session, const Graph &written, const Graph &before,
                         const ProgramLayout &layout) {
  VerifyMemory memory(session, before, layout);
  return memory.take_inputs(written) && memory.interpret(written) && memory.run(layout);
}

} // namespace cnnc
