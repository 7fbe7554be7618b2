#include "compiler/pass/apply_overrides.h"

#include "compiler/pass/kernel_name.h"
#include "ir/text/schedule_entries.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// Puts attributes that the user sets into the ops that they are of.
class AttributeSetter {
public:
  AttributeSetter(Graph &graph, Diagnostics &diagnostics)
      : graph_(graph), diagnostics_(diagnostics) {}

  bool set(const Override &override) {
    const std::optional<NodeId> id = find(override);
    if (!id)
      return false;
    Node &node = graph_.nodes[*id];
    const auto attribute =
        std::ranges::find_if(info_of(node.op).attributes, [&](const AttributeInfo &info) {
          return info.name == override.entry;
        });
    if (attribute->get(node.op) == *override.attribute)
      return true;
    if (node.kernel != no_id)
      return error(override.entry_range,
                   fmt::format("'{}' of {} is decided in the text already, where kernels and "
                               "layouts follow from it: set it in the model before fuse_kernels",
                               override.entry, override.subject()));
    attribute->set(node.op, *override.attribute);
    std::erase_if(node.attribute_ranges,
                  [&](const auto &range) { return range.first == override.entry; });
    node.attribute_ranges.emplace_back(override.entry, override.value_range);
    InferContext inferred = infer_context(graph_, node, diagnostics_);
    return infer(node.op, inferred).has_value();
  }

private:
  bool error(const SourceRange &range, std::string message) {
    diagnostics_.error(range, std::move(message));
    return false;
  }

  bool is_meant(const Override &override, const Node &node) const {
    if (override.names_kernel && node.kernel != no_id)
      return graph_.kernels[node.kernel].name == override.name;
    for (ValueId result : node.results)
      if (const std::string &name = graph_.value(result).name;
          override.name == (override.names_kernel ? kernel_name_of(name) : name))
        return true;
    return false;
  }

  /// The convolution; empty, with a report, where there is none, or more than one.
  std::optional<NodeId> find(const Override &override) {
    std::vector<NodeId> found;
    bool other_op = false;
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      if (const Node &node = graph_.nodes[id]; is_meant(override, node)) {
        if (std::holds_alternative<Conv2d>(node.op))
          found.push_back(id);
        other_op = true;
      }
    if (found.size() == 1)
      return found.front();
    if (found.size() > 1)
      report_several(override, found);
    else if (other_op)
      error(override.entry_range, fmt::format("{} has no '{}': only convolutions (conv2d) have",
                                              override.subject(), override.entry));
    else
      report_none(override);
    return std::nullopt;
  }

  void report_several(const Override &override, const std::vector<NodeId> &found) {
    std::vector<std::string> values;
    for (NodeId id : found)
      values.push_back("%" + format_name(graph_.value(graph_.nodes[id].results[0]).name));
    error(override.name_range, fmt::format("{} can be several: say which value is meant, {}",
                                           override.subject(), fmt::join(values, " or ")));
  }

  void report_none(const Override &override) {
    std::vector<std::string> names;
    for (const Node &node : graph_.nodes)
      if (std::holds_alternative<Conv2d>(node.op)) {
        const std::string &name = graph_.value(node.results[0]).name;
        names.push_back(override.names_kernel ? kernel_name_of(name) : name);
      }
    report_unknown(override, names, diagnostics_);
  }

  Graph &graph_;
  Diagnostics &diagnostics_;
};

/// The kernel that computes the value of this name, which assign_layouts has given to a copy where
/// the value itself has another layout.
KernelId kernel_of_value(const Graph &graph, const std::string &name) {
  const std::optional<ValueId> value = graph.find_value(name);
  NodeId producer = value ? graph.value(*value).producer : no_id;
  while (producer != no_id && std::holds_alternative<Relayout>(graph.nodes[producer].op))
    producer = graph.value(graph.nodes[producer].operands[0]).producer;
  return producer == no_id ? no_id : graph.nodes[producer].kernel;
}

KernelId kernel_of(const Graph &graph, const Override &override) {
  if (!override.names_kernel)
    return kernel_of_value(graph, override.name);
  for (KernelId id = 0; id < graph.kernels.size(); ++id)
    if (graph.kernels[id].name == override.name)
      return id;
  return no_id;
}

std::vector<std::string> names_of_kernels(const Graph &graph) {
  std::vector<std::string> names;
  for (const KernelGroup &kernel : graph.kernels)
    names.push_back(kernel.name);
  return names;
}

std::vector<std::string> names_of_values(const Graph &graph) {
  std::vector<std::string> names;
  for (const Node &node : graph.nodes)
    if (node.kernel != no_id)
      for (ValueId result : node.results)
        names.push_back(graph.value(result).name);
  return names;
}

} // namespace

bool set_attributes(Graph &graph, const std::vector<Override> &overrides,
                    Diagnostics &diagnostics) {
  bool ok = true;
  AttributeSetter setter(graph, diagnostics);
  for (const Override &override : overrides)
    if (override.attribute)
      ok = setter.set(override) && ok;
  return ok;
}

ScheduleOverrides::ScheduleOverrides(const Graph &graph, const std::vector<Override> &overrides,
                                     Diagnostics &diagnostics) {
  for (const Override &override : overrides) {
    if (override.attribute)
      continue;
    const KernelId kernel = kernel_of(graph, override);
    if (kernel != no_id) {
      entries_.emplace_back(kernel, &override);
      continue;
    }
    report_unknown(override,
                   override.names_kernel ? names_of_kernels(graph) : names_of_values(graph),
                   diagnostics);
    all_found_ = false;
  }
}

void ScheduleOverrides::tell(const Graph &graph, const PassContext &context) const {
  for (const auto &[kernel, override] : entries_) {
    const SourceRange &value = override->value_range;
    context.recorder("choose_schedule", graph.kernels[kernel].name)
        .note(override->entry,
              std::string_view(value.source->text).substr(value.begin, value.end - value.begin),
              "set by the user");
  }
}

void ScheduleOverrides::apply(KernelGroup &kernel, KernelId id) const {
  bool any = false;
  for (const auto &[owner, override] : entries_)
    if (owner == id) {
      take_entry(kernel.schedule, override->entry, override->schedule);
      if (!kernel.range.known()) // what is wrong with the schedule is so since the entry is set
        kernel.range = override->value_range;
      any = true;
    }
  if (any)
    std::erase_if(kernel.schedule.block, [&](const LoopFactor &block) {
      return !block.range.known() &&
             std::ranges::find(kernel.schedule.parallel, LoopName(block.loop)) ==
                 kernel.schedule.parallel.end();
    });
}

} // namespace cnnc
