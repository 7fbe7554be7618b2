#include "compiler/analysis/dot.h"

#include "ir/text/lexer.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/graphviz.hpp>
#include <fmt/format.h>
#include <sstream>

namespace cnnc {

namespace {

/// Pale, so that black text can be read on them; neighbouring kernels get different ones.
constexpr std::array<std::string_view, 6> kernel_colours = {"#cfe2f3", "#d9ead3", "#fff2cc",
                                                            "#f4cccc", "#d9d2e9", "#d0e0e3"};

struct Box {
  std::string label;
  std::string style;
};
using Drawing = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Box>;

std::string box_label(const Graph &graph, const Node &node) {
  std::string label(info_of(node.op).name);
  for (ValueId result : node.results) {
    const Value &value = graph.value(result);
    label += "\n%" + format_name(value.name);
    if (value.type)
      label += "\n" + to_string(*value.type);
  }
  if (const Call *call = std::get_if<Call>(&node.op))
    label = "@" + format_name(call->kernel) + label.substr(std::string_view("call").size());
  if (node.kernel != no_id)
    label = "@" + format_name(graph.kernels[node.kernel].name) + "\n" + label;
  return label;
}

/// Quoted, with line breaks as Graphviz spells them.
std::string escape(const std::string &label) {
  std::string result;
  for (char c : boost::escape_dot_string(label))
    result += c == '\n' ? std::string("\\n") : std::string(1, c);
  return result;
}

Drawing draw(const Graph &graph) {
  Drawing drawing;
  std::vector<Drawing::vertex_descriptor> box_of(graph.values.size());
  for (ValueId input : graph.inputs) {
    const Value &value = graph.value(input);
    std::string type = value.type ? "\n" + to_string(*value.type) : "";
    box_of[input] = add_vertex({"%" + format_name(value.name) + type, "shape=oval"}, drawing);
  }
  for (const Node &node : graph.nodes) {
    if (graph.is_constant(node.results.front()))
      continue;
    std::string colour(node.kernel == no_id ? "white"
                                            : kernel_colours[node.kernel % kernel_colours.size()]);
    auto box = add_vertex(
        {box_label(graph, node), fmt::format("shape=box, style=filled, fillcolor=\"{}\"", colour)},
        drawing);
    for (ValueId operand : node.operands)
      if (!graph.is_constant(operand))
        add_edge(box_of[operand], box, drawing);
    for (ValueId result : node.results)
      box_of[result] = box;
  }
  for (ValueId output : graph.outputs) {
    auto box =
        add_vertex({"return %" + format_name(graph.value(output).name), "shape=oval"}, drawing);
    if (!graph.is_constant(output))
      add_edge(box_of[output], box, drawing);
  }
  return drawing;
}

} // namespace

std::string to_dot(const Module &module) {
  std::ostringstream stream;
  for (const Graph &graph : module.models) {
    Drawing drawing = draw(graph);
    auto write_box = [&](std::ostream &out, Drawing::vertex_descriptor box) {
      out << "[label=" << escape(drawing[box].label) << ", " << drawing[box].style << "]";
    };
    stream << "// model @" << format_name(graph.name) << "\n";
    boost::write_graphviz(stream, drawing, write_box);
  }
  return stream.str();
}

} // namespace cnnc
