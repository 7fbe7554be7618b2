#include "ir/graph/printer.h"
#include "ir/text/lexer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

std::string to_string(const AttributeValue &value) {
  return std::visit(overloaded{[](bool b) -> std::string { return b ? "true" : "false"; },
                               [](int64_t i) { return std::to_string(i); },
                               [](double d) { return format_number(d); },
                               [](const std::string &s) { return quote(s); },
                               [](const Word &word) { return word.text; },
                               [](const std::vector<int64_t> &list) {
                                 return fmt::format("[{}]", fmt::join(list, ", "));
                               },
                               [](const std::vector<double> &list) {
                                 std::vector<std::string> items;
                                 for (double d : list)
                                   items.push_back(format_number(d));
                                 return fmt::format("[{}]", fmt::join(items, ", "));
                               }},
                    value);
}

namespace {

std::string format_value(const Graph &graph, ValueId id) {
  return "%" + format_name(graph.values[id].name);
}

std::string format_values(const Graph &graph, const std::vector<ValueId> &ids) {
  std::vector<std::string> items;
  for (ValueId id : ids)
    items.push_back(format_value(graph, id));
  return fmt::format("{}", fmt::join(items, ", "));
}

std::string format_typed(const Value &value) {
  std::string result = to_string(*value.type);
  if (value.offset)
    result += fmt::format(" at {}", *value.offset);
  return result;
}

/// Attributes spelt without name: ` "key"` for one, `(7, he)` for several.
std::string format_positional(const Op &op, const OpInfo &info) {
  if (info.positional == 0)
    return "";
  if (info.positional == 1)
    return " " + to_string(info.attributes[0].get(op));
  std::vector<std::string> items;
  for (size_t i = 0; i < info.positional; ++i)
    items.push_back(to_string(info.attributes[i].get(op)));
  return fmt::format("({})", fmt::join(items, ", "));
}

std::string print_kernel_header(const Graph &graph, KernelId kernel,
                                const KernelInterface &interface) {
  std::string schedule = to_string(graph.kernels[kernel].schedule);
  return fmt::format("  kernel @{}({}) -> ({}){} {{\n", format_name(graph.kernels[kernel].name),
                     format_values(graph, interface.inputs),
                     format_values(graph, interface.outputs),
                     schedule.empty() ? "" : " " + schedule);
}

} // namespace

std::string to_string(const Graph &graph, const Node &node) {
  const OpInfo &info = info_of(node.op);
  std::string result = fmt::format("{} = {}{}", format_values(graph, node.results), info.name,
                                   format_positional(node.op, info));
  if (!node.operands.empty())
    result += " " + format_values(graph, node.operands);
  for (size_t i = info.positional; i < info.attributes.size(); ++i) {
    const AttributeInfo &attribute = info.attributes[i];
    AttributeValue value = attribute.get(node.op);
    if (attribute.required || value != attribute.default_value)
      result += fmt::format(" {}={}", attribute.name, to_string(value));
  }
  std::vector<std::string> types;
  for (ValueId id : node.results)
    if (graph.values[id].type)
      types.push_back(format_typed(graph.values[id]));
  if (types.size() == node.results.size())
    result += fmt::format(" : {}", fmt::join(types, ", "));
  return result;
}

std::string to_string(const Graph &graph, KernelId kernel) {
  std::string result = print_kernel_header(graph, kernel, kernel_interfaces(graph)[kernel]);
  for (const Node &node : graph.nodes)
    if (node.kernel == kernel)
      result += "    " + to_string(graph, node) + "\n";
  return result + "  }\n";
}

std::string to_string(const Graph &graph) {
  std::vector<std::string> parameters;
  for (ValueId input : graph.inputs)
    parameters.push_back(
        fmt::format("{}: {}", format_value(graph, input), format_typed(graph.values[input])));
  std::string result =
      fmt::format("model @{}({})", format_name(graph.name), fmt::join(parameters, ", "));
  if (!graph.weights_file.empty())
    result += " weights=" + quote(graph.weights_file);
  result += " {\n";
  std::vector<KernelInterface> interfaces = kernel_interfaces(graph);
  KernelId open = no_id;
  for (const Node &node : graph.nodes) {
    if (node.kernel != open) {
      if (open != no_id)
        result += "  }\n";
      if (node.kernel != no_id)
        result += print_kernel_header(graph, node.kernel, interfaces[node.kernel]);
      open = node.kernel;
    }
    result += (open == no_id ? "  " : "    ") + to_string(graph, node) + "\n";
  }
  if (open != no_id)
    result += "  }\n";
  std::vector<std::string> outputs;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    outputs.push_back(format_value(graph, graph.outputs[i]));
    if (ValueId input = graph.updated_by(i); input != no_id)
      outputs.back() += " in " + format_value(graph, input);
  }
  return result + fmt::format("  return {}\n}}\n", fmt::join(outputs, ", "));
}

} // namespace cnnc
