// Lowering from the graph to loops: each kernel block becomes a kernel of the loops text, which a
// `call` stands for in the graph.
//
//   model @example(%x: f32[1, 8, 6, 6]) {
//     kernel @y(%x) -> (%y) schedule(parallel=[n, c]) {
//       %y = relu %x
//     }
//     return %y
//   }
// becomes
//   model @example(%x: f32[1, 8, 6, 6]) {
//     %y = call "y" %x : f32[1, 8, 6, 6]
//     return %y
//   }
//   kernel @y(x: f32[1, 8, 6, 6]) -> (y: f32[1, 8, 6, 6]) schedule(parallel=[n, c]) {
//     for n in 0..1, c in 0..8, h in 0..6, w in 0..6 {
//       y[n, c, h, w] = max(0, x[n, c, h, w])
//     }
//   }
#include "compiler/lowering/lower_loops.h"
#include "compiler/lowering/lowering.h"
#include "ir/loop/rewrite.h"
#include "ir/loop/words.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace cnnc {

namespace {

/// A value's name as a buffer's: letters, digits, underscores and inner dots.
std::string identifier(std::string_view name) {
  std::string result;
  for (char c : name)
    result += std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' ? c : '_';
  while (!result.empty() && (result.back() == '.'))
    result.back() = '_';
  for (size_t i = 0; i + 1 < result.size(); ++i)
    if (result[i] == '.' && result[i + 1] == '.')
      result[i] = '_';
  if (result.empty() || !(std::isalpha(static_cast<unsigned char>(result[0])) || result[0] == '_'))
    result.insert(0, "v");
  return result;
}

class KernelBuilder {
public:
  /// `taken`: names that no buffer may have.
  KernelBuilder(const Graph &graph, KernelId id, const KernelInterface &interface,
                PassContext &context, std::set<std::string> taken)
      : graph_(graph), id_(id), context_(context), interface_(interface), taken_(std::move(taken)) {
  }

  std::optional<loop::Kernel> build(const std::vector<NodeId> &members, std::string name) {
    kernel_.name = std::move(name);
    kernel_.schedule = graph_.kernels[id_].schedule;
    kernel_.range = graph_.kernels[id_].range;
    for (ValueId input : interface_.inputs)
      add_buffer(kernel_.inputs, input);
    for (ValueId output : interface_.outputs)
      add_buffer(kernel_.outputs, output);
    for (NodeId member : members)
      for (ValueId result : graph_.nodes[member].results)
        if (!names_.contains(result))
          add_buffer(kernel_.locals, result);
    for (ValueId output : interface_.outputs)
      for (loop::Statement &statement : zero_halo(graph_.type(output), names_.at(output)))
        kernel_.body.push_back(std::move(statement));
    Lowering lowering(graph_, kernel_, context_, names_);
    for (NodeId member : members)
      if (!lowering.lower(graph_.nodes[member]))
        return std::nullopt;
    if (!check_partial_sums())
      return std::nullopt;
    prefetch_weights(graph_.nodes[members.front()]);
    forget_missing_loops();
    return std::move(kernel_);
  }

private:
  /// Lowering takes what it obeys.
  bool check_partial_sums() {
    for (const LoopFactor &partial : kernel_.schedule.partial)
      context_.diagnostics.error(
          partial.range.known() ? partial.range : kernel_.range,
          fmt::format("kernel @{}: no products are added up over {} that could be cut into partial "
                      "sums",
                      kernel_.name, partial.loop));
    return kernel_.schedule.partial.empty();
  }

  /// Prefetches the weight operand of the anchor, the op that the kernel is built around.
  void prefetch_weights(const Node &anchor) {
    for (loop::Buffer &input : kernel_.inputs)
      if (anchor.operands.size() > 1 && input.name == names_.at(anchor.operands[1]))
        input.prefetch = kernel_.schedule.prefetch;
    kernel_.schedule.prefetch = 0;
  }

  /// A loop may have no iterations, as that over the inner rows of a pool whose windows are all
  /// clipped: then there is nothing to share among threads.
  void forget_missing_loops() {
    const std::vector<std::string> loops = loop::schedulable_loops(kernel_.body);
    auto missing = [&](const auto &named) {
      return std::find(loops.begin(), loops.end(), named.loop) == loops.end();
    };
    std::erase_if(kernel_.schedule.parallel, missing);
    std::erase_if(kernel_.schedule.block, missing);
  }

  void add_buffer(std::vector<loop::Buffer> &list, ValueId id) {
    std::string base = identifier(graph_.values[id].name), name = base;
    for (int i = 1; loop::is_reserved(name) || taken_.contains(name); ++i)
      name = fmt::format("{}_{}", base, i);
    taken_.insert(name);
    names_[id] = name;
    const TensorType &type = graph_.type(id);
    list.push_back({name, type.dtype, physical_shape(type), 0});
  }

  const Graph &graph_;
  KernelId id_;
  PassContext &context_;
  const KernelInterface &interface_;
  loop::Kernel kernel_;
  std::map<ValueId, std::string> names_;
  std::set<std::string> taken_;
};

/// The names of the registers and scratch arrays that statements declare.
std::set<std::string> declared_in(const std::vector<loop::Statement> &body) {
  std::set<std::string> names;
  loop::for_each_statement(body, [&](const loop::Statement &statement) {
    if (const auto *declared = std::get_if<loop::Register>(&statement.node))
      names.insert(declared->name);
  });
  return names;
}

/// Buffers have the names of their values, registers those that the lowering of an op gives them.
/// Where a register would hide a buffer, it is the buffer that is renamed, in a second lowering.
std::optional<loop::Kernel> build_kernel(const Graph &graph, KernelId id,
                                         const KernelInterface &interface,
                                         const std::vector<NodeId> &members,
                                         const std::string &name, PassContext &context) {
  std::optional<loop::Kernel> kernel =
      KernelBuilder(graph, id, interface, context, {}).build(members, name);
  if (!kernel)
    return kernel;
  const std::set<std::string> declared = declared_in(kernel->body);
  for (const std::string &reg : declared)
    if (kernel->find_buffer(reg))
      return KernelBuilder(graph, id, interface, context, declared).build(members, name);
  return kernel;
}

/// Replaces the members of every kernel by one call.
void replace_by_calls(Graph &graph, const std::vector<std::string> &names,
                      const std::vector<KernelInterface> &interfaces) {
  std::vector<std::vector<NodeId>> members = kernel_members(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (KernelId id = 0; id < graph.kernels.size(); ++id) {
    NodeId last = members[id].back();
    for (NodeId member : members[id])
      dead[member] = member != last;
    Node call;
    call.op = Call{names[id]};
    call.operands = interfaces[id].inputs;
    call.results = interfaces[id].outputs;
    call.range = graph.nodes[last].range;
    for (ValueId result : call.results)
      graph.values[result].producer = last;
    graph.nodes[last] = std::move(call);
  }
  graph.kernels.clear();
  graph.erase_nodes(dead);
}

bool lower_graph(Graph &graph, Module &module, PassContext &context) {
  std::set<std::string> taken;
  for (const loop::Kernel &kernel : module.kernels)
    taken.insert(kernel.name);
  std::vector<std::vector<NodeId>> members = kernel_members(graph);
  std::vector<KernelInterface> interfaces = kernel_interfaces(graph);
  std::vector<std::string> names;
  bool ok = true;
  for (KernelId id = 0; id < graph.kernels.size(); ++id) {
    // Kernels of all models share one list: a name that another model has already gets the model's.
    std::string name = graph.kernels[id].name;
    if (taken.contains(name))
      name = fmt::format("{}.{}", graph.name, name);
    for (int i = 1; taken.contains(name); ++i)
      name = fmt::format("{}.{}.{}", graph.name, graph.kernels[id].name, i);
    taken.insert(name);
    names.push_back(name);
    std::optional<loop::Kernel> kernel =
        build_kernel(graph, id, interfaces[id], members[id], name, context);
    if (kernel)
      module.kernels.push_back(std::move(*kernel));
    ok = ok && kernel;
  }
  if (ok)
    replace_by_calls(graph, names, interfaces);
  return ok;
}

} // namespace

bool lower_loops(Module &module, PassContext &context) {
  bool ok = true;
  for (Graph &graph : module.models)
    ok = lower_graph(graph, module, context) && ok;
  return ok;
}

} // namespace cnnc
