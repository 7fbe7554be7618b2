#include "ir/graph/verifier.h"

#include "ir/graph/ops/checks.h"
#include "ir/text/lexer.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_set>

namespace cnnc {

namespace {

class Verifier {
public:
  Verifier(const Graph &graph, Diagnostics &diagnostics, std::string_view after_pass)
      : graph_(graph), diagnostics_(diagnostics), after_pass_(after_pass) {}

  bool run() {
    check_ids();
    if (!ok_)
      return false; // nothing else can be looked at
    check_definitions();
    check_names();
    check_operands();
    check_users();
    check_kernels();
    check_layouts();
    check_narrow();
    if (ok_ && !after_pass_.empty())
      check_types();
    return ok_;
  }

private:
  void report(const SourceRange &range, std::string message) {
    ok_ = false;
    if (!after_pass_.empty())
      message = fmt::format("internal error after {}: {}", after_pass_, message);
    diagnostics_.error(range, std::move(message));
  }

  std::string name(ValueId id) const { return "%" + format_name(graph_.values[id].name); }

  std::string name(const Node &node) const {
    std::string_view op = info_of(node.op).name;
    return node.results.empty() ? std::string(op)
                                : fmt::format("{} = {}", name(node.results[0]), op);
  }

  void check_ids() {
    auto check = [&](const std::vector<ValueId> &ids, const SourceRange &range,
                     std::string_view what) {
      for (ValueId id : ids)
        if (id >= graph_.values.size())
          report(range,
                 fmt::format("{} {} is not one of the {} values", what, id, graph_.values.size()));
    };
    check(graph_.inputs, graph_.range, "input");
    check(graph_.outputs, graph_.range, "output");
    for (const Node &node : graph_.nodes) {
      check(node.operands, node.range, "operand");
      check(node.results, node.range, "result");
      if (node.results.empty())
        report(node.range, fmt::format("{} has no result", info_of(node.op).name));
      if (node.kernel != no_id && node.kernel >= graph_.kernels.size())
        report(node.range, fmt::format("kernel {} is not one of the {} kernels", node.kernel,
                                       graph_.kernels.size()));
    }
  }

  void check_definitions() {
    std::vector<size_t> definitions(graph_.values.size(), 0);
    for (ValueId input : graph_.inputs) {
      ++definitions[input];
      if (graph_.values[input].producer != no_id)
        report(graph_.values[input].range, name(input) + " is an input, but has a producer");
    }
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      for (ValueId result : graph_.nodes[id].results) {
        ++definitions[result];
        if (graph_.values[result].producer != id)
          report(graph_.nodes[id].range, name(result) + " does not know its producer");
      }
    for (ValueId id = 0; id < graph_.values.size(); ++id)
      if (definitions[id] != 1)
        report(graph_.values[id].range,
               fmt::format("{} is defined {} times", name(id), definitions[id]));
  }

  void check_names() {
    for (const Value &value : graph_.values)
      if (value.name.empty())
        report(value.range, "a value has no name");
    if (ok_ && !graph_.knows_all_names())
      report_name();
    std::unordered_set<std::string_view> kernels;
    for (const KernelGroup &kernel : graph_.kernels)
      if (kernel.name.empty() || !kernels.insert(kernel.name).second)
        report(kernel.range, kernel.name.empty()
                                 ? "a kernel has no name"
                                 : fmt::format("two kernels have the name @{}", kernel.name));
  }

  void report_name() {
    for (ValueId id = 0; id < graph_.values.size(); ++id) {
      std::optional<ValueId> known = graph_.find_value(graph_.values[id].name);
      if (known != id)
        return report(graph_.values[id].range,
                      known ? fmt::format("two values have the name {}", name(id))
                            : fmt::format("the graph does not know the name {}", name(id)));
    }
    report(graph_.range, "the graph knows names that no value has");
  }

  void check_operands() {
    for (NodeId id = 0; id < graph_.nodes.size(); ++id) {
      const Node &node = graph_.nodes[id];
      check_operand_count(node);
      check_constant(node);
      for (ValueId operand : node.operands) {
        NodeId producer = graph_.values[operand].producer;
        if (producer != no_id && producer >= id)
          report(node.range,
                 fmt::format("{} reads {} before its definition", name(node), name(operand)));
      }
    }
  }

  /// Every operand knows its reader, and values have no other readers.
  void check_users() {
    std::vector<size_t> seen(graph_.values.size(), 0); // of the users of each value
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      for (ValueId operand : graph_.nodes[id].operands) {
        const std::vector<NodeId> &users = graph_.values[operand].users;
        size_t &next = seen[operand];
        if (next > 0 && users[next - 1] == id)
          continue; // the same operand twice
        if (next == users.size() || users[next] != id)
          return report(graph_.nodes[id].range, fmt::format("{} does not know that {} reads it",
                                                            name(operand), name(graph_.nodes[id])));
        ++next;
      }
    for (ValueId id = 0; id < graph_.values.size(); ++id)
      if (const Value &value = graph_.values[id]; seen[id] != value.users.size())
        report(value.range, fmt::format("{} has {} readers, but knows {}", name(id), seen[id],
                                        value.users.size()));
  }

  void check_constant(const Node &node) {
    bool constant = computes_constant(graph_, node);
    for (ValueId result : node.results)
      if (graph_.is_constant(result) != constant)
        report(node.range, fmt::format("{} does not know whether it is constant", name(result)));
  }

  void check_operand_count(const Node &node) {
    if (std::holds_alternative<Call>(node.op))
      return; // a kernel may read nothing
    const OpInfo &info = info_of(node.op);
    size_t least = 0;
    bool variadic = false;
    for (const OperandInfo &operand : info.operands) {
      least += !operand.optional;
      variadic = variadic || operand.variadic;
    }
    size_t count = node.operands.size();
    if (count < least || (!variadic && count > info.operands.size()))
      report(node.range, fmt::format("{} has {} operands", name(node), count));
  }

  void check_kernels() {
    std::vector<bool> closed(graph_.kernels.size(), false), used(graph_.kernels.size(), false);
    KernelId open = no_id;
    for (const Node &node : graph_.nodes) {
      if (node.kernel == open)
        continue;
      if (open != no_id)
        closed[open] = true;
      open = node.kernel;
      if (open == no_id)
        continue;
      used[open] = true;
      if (closed[open])
        report(node.range, fmt::format("{} stands apart from the other ops of its kernel @{}",
                                       name(node), graph_.kernels[open].name));
    }
    for (KernelId id = 0; id < graph_.kernels.size(); ++id)
      if (!used[id])
        report(graph_.kernels[id].range,
               fmt::format("the kernel @{} has no ops", graph_.kernels[id].name));
  }

  void check_layouts() {
    for (ValueId id = 0; id < graph_.values.size(); ++id) {
      const Value &value = graph_.values[id];
      if (value.offset && *value.offset < 0)
        report(value.range,
               fmt::format("the offset {} of {} is negative", *value.offset, name(id)));
      if (!value.type)
        continue;
      const TensorType &type = *value.type;
      if (type.layout.plain())
        continue;
      for (const Block &block : type.layout.blocks) {
        size_t axis = static_cast<size_t>(block.axis);
        if (block.axis < 0 || axis >= type.rank() || block.size < 1)
          report(value.range, fmt::format("{} has a block of {} in dimension {} of {}", name(id),
                                          block.size, block.axis, type.rank()));
      }
      bool negative = std::any_of(type.layout.halo.begin(), type.layout.halo.end(),
                                  [](int64_t size) { return size < 0; });
      const bool filled = is_integer(type.dtype) && size_of(type.dtype) <= 2;
      if (filled ? !fits(static_cast<double>(type.layout.halo_value), type.dtype)
                 : type.layout.halo_value != 0)
        report(value.range, fmt::format("{} has a halo of {}, which is no number of {}", name(id),
                                        type.layout.halo_value, name_of(type.dtype)));
      if (negative || (type.layout.has_halo() && type.rank() < 2))
        report(value.range, name(id) + " has a halo that is not possible");
    }
  }

  /// Floats of 16 bits are constants inside of the model, which kernels read.
  void check_narrow() {
    for (ValueId id = 0; id < graph_.values.size(); ++id) {
      const Value &value = graph_.values[id];
      if (!value.type || !is_narrow(value.type->dtype))
        continue;
      const std::string_view dtype = name_of(value.type->dtype);
      if (!graph_.is_constant(id) || graph_.is_output(id))
        report(value.range, fmt::format("{} is {}, in which only constants inside of a model are "
                                        "stored",
                                        name(id), dtype));
      for (NodeId user : value.users)
        if (const Node &node = graph_.nodes[user];
            node.kernel == no_id && !is_one_of<Relayout, Call>(node.op))
          report(node.range, fmt::format("{} reads {}, which is {}: only ops in a kernel do",
                                         name(node), name(id), dtype));
    }
  }

  /// Infers every node again. What infer() has to say becomes part of the message.
  void check_types() {
    auto typed = [&](ValueId id) { return graph_.values[id].type.has_value(); };
    Diagnostics reasons;
    for (const Node &node : graph_.nodes) {
      if (!std::all_of(node.operands.begin(), node.operands.end(), typed) ||
          !std::all_of(node.results.begin(), node.results.end(), typed))
        continue; // infer_shapes has not run
      size_t known = reasons.all().size();
      InferContext context = infer_context(graph_, node, reasons);
      InferredTypes types = infer(node.op, context);
      if (!types || types->size() != node.results.size()) {
        report(node.range, fmt::format("{}: {}", name(node),
                                       types ? fmt::format("{} results instead of {}",
                                                           node.results.size(), types->size())
                                             : reasons.all()[known].message));
        continue;
      }
      for (size_t i = 0; i < types->size(); ++i)
        if (!same_logical_type((*types)[i], graph_.type(node.results[i])))
          report(node.range,
                 fmt::format("{} is {}, but by its operands it is {}", name(node.results[i]),
                             to_string(graph_.type(node.results[i])), to_string((*types)[i])));
    }
  }

  const Graph &graph_;
  Diagnostics &diagnostics_;
  std::string_view after_pass_;
  bool ok_ = true;
};

} // namespace

bool verify(const Graph &graph, Diagnostics &diagnostics, std::string_view after_pass) {
  return Verifier(graph, diagnostics, after_pass).run();
}

} // namespace cnnc
