#include "compiler/analysis/statistics.h"

#include "compiler/layout/memory_plan.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

using Counts = std::map<std::string, int64_t>;

void count_algorithm(const Conv2d &conv, Counts &counts) {
  if (conv.winograd > 0)
    ++counts[fmt::format("conv2d winograd={}", conv.winograd)];
  if (conv.padded_rows == PaddedRows::skip)
    ++counts["conv2d padded_rows=skip"];
}

void count_nodes(const Graph &graph, Counts &counts) {
  std::vector<bool> has_member(graph.kernels.size(), false);
  for (const Node &node : graph.nodes) {
    ++counts["ops"];
    ++counts[std::string(info_of(node.op).name)];
    if (const auto *conv = std::get_if<Conv2d>(&node.op))
      count_algorithm(*conv, counts);
    if (node.kernel == no_id)
      continue;
    if (has_member[node.kernel])
      ++counts["fused ops"];
    has_member[node.kernel] = true;
  }
}

/// Whether the model reads the constant when it runs: others are made into that one.
bool is_read(const Graph &graph, ValueId constant) {
  return graph.is_output(constant) ||
         std::ranges::any_of(graph.value(constant).users, [&](NodeId user) {
           return !graph.is_constant(graph.nodes[user].results[0]);
         });
}

void count_values(const Graph &graph, Counts &counts) {
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const Value &value = graph.values[id];
    if (!value.type || value.producer == no_id)
      continue;
    ++counts["values with a type"];
    const bool constant = graph.is_constant(id);
    if (!constant && !value.type->layout.blocks.empty())
      ++counts["values in blocks"];
    if (!constant && value.type->layout.has_halo())
      ++counts["values with a halo"];
    if (!constant || is_read(graph, id))
      counts[constant ? "bytes of constants" : "bytes of values"] +=
          byte_size(*value.type).value_or(0);
  }
}

void count_graph(const Graph &graph, Counts &counts) {
  count_nodes(graph, counts);
  count_values(graph, counts);
  counts["kernels"] += static_cast<int64_t>(graph.kernels.size());
  for (const KernelGroup &kernel : graph.kernels)
    counts["kernels with a schedule"] += kernel.schedule.empty() ? 0 : 1;
  counts["bytes of workspace"] += workspace_size(graph);
}

std::string_view name_of(loop::LoopKind kind) {
  switch (kind) {
  case loop::LoopKind::serial:
    return "serial loops";
  case loop::LoopKind::parallel:
    return "parallel loops";
  case loop::LoopKind::unroll:
    return "unrolled loops";
  case loop::LoopKind::vector:
    return "vector loops";
  }
  return "";
}

void count_statements(const std::vector<loop::Statement> &body, Counts &counts) {
  for (const loop::Statement &statement : body)
    std::visit(overloaded{[&](const loop::For &nest) {
                            ++counts[std::string(name_of(nest.kind))];
                            count_statements(nest.body, counts);
                          },
                          [&](const loop::Register &declared) {
                            ++counts[declared.in_memory ? "scratch" : "registers"];
                          },
                          [&](const loop::Assign &) { ++counts["assignments"]; }},
               statement.node);
}

} // namespace

std::map<std::string, int64_t> count_text(const Module &module) {
  Counts counts;
  for (const Graph &graph : module.models)
    count_graph(graph, counts);
  for (const loop::Kernel &kernel : module.kernels) {
    ++counts["kernels of loops"];
    counts["locals"] += static_cast<int64_t>(kernel.locals.size());
    count_statements(kernel.body, counts);
  }
  std::erase_if(counts, [](const auto &entry) { return entry.second == 0; });
  return counts;
}

} // namespace cnnc
