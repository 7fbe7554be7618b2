#include "compiler/report/layered_layout.h"
#include "compiler/report/sections.h"

#include <algorithm>
#include <map>

namespace cnnc::report {

namespace {

// As graph.js draws them.
constexpr double kernel_width = 216, kernel_height = 62, small_width = 168, small_height = 38;

/// A box of the picture: a kernel, an op that only looks at memory, an input or an output.
struct Box {
  const char *kind;
  std::string name;
  std::string detail; // its op or type
  LayeredBox box;
};

class Picture {
public:
  explicit Picture(const Graph &graph) : graph_(graph), box_of_(graph.values.size(), nowhere) {
    for (ValueId input : graph.inputs)
      box_of_[input] =
          add({"input", graph.value(input).name, to_string(graph.type(input)), small()});
    for (const Node &node : graph.nodes)
      if (!graph.is_constant(node.results.front()))
        add_node(node);
    for (ValueId output : graph.outputs) {
      const size_t box =
          add({"output", graph.value(output).name, to_string(graph.type(output)), small()});
      connect(output, box);
    }
  }

  Json json() const;

private:
  static constexpr size_t nowhere = ~size_t(0);
  static LayeredBox small() { return {small_width, small_height, {}}; }

  size_t add(Box box) {
    boxes_.push_back(std::move(box));
    return boxes_.size() - 1;
  }

  void add_node(const Node &node) {
    const size_t box = box_of(node);
    for (ValueId operand : node.operands)
      connect(operand, box);
    for (ValueId result : node.results)
      box_of_[result] = box;
  }

  size_t box_of(const Node &node) {
    if (const Call *call = std::get_if<Call>(&node.op))
      return add({"kernel", call->kernel, "", {kernel_width, kernel_height, {}}});
    if (node.kernel == no_id)
      return add({"view", graph_.value(node.results.front()).name,
                  std::string(info_of(node.op).name), small()});
    const auto [found, inserted] = kernels_.try_emplace(node.kernel, boxes_.size());
    if (inserted)
      add({"kernel", graph_.kernels[node.kernel].name, "", {kernel_width, kernel_height, {}}});
    return found->second;
  }

  void connect(ValueId value, size_t to) {
    const size_t from = box_of_[value];
    if (from == nowhere || from == to)
      return;
    std::vector<size_t> &targets = boxes_[from].box.targets;
    if (std::ranges::find(targets, to) == targets.end())
      targets.push_back(to);
  }

  const Graph &graph_;
  std::vector<Box> boxes_;
  std::vector<size_t> box_of_; // of each value
  std::map<KernelId, size_t> kernels_;
};

double rounded(double pixels) { return static_cast<double>(static_cast<int64_t>(pixels + 0.5)); }

Json Picture::json() const {
  std::vector<LayeredBox> boxes;
  for (const Box &box : boxes_)
    boxes.push_back(box.box);
  const LayeredLayout layout = lay_out_layers(boxes);
  Json list = Json::array(), lines = Json::array();
  for (size_t i = 0; i < boxes_.size(); ++i)
    list.push_back({{"kind", boxes_[i].kind},
                    {"name", boxes_[i].name},
                    {"detail", boxes_[i].detail},
                    {"x", rounded(layout.centers[i].x - boxes[i].width / 2)},
                    {"y", rounded(layout.centers[i].y - boxes[i].height / 2)},
                    {"width", boxes[i].width},
                    {"height", boxes[i].height}});
  for (const LayeredLine &line : layout.lines) {
    Json points = Json::array();
    for (const Point &point : line.points) {
      points.push_back(rounded(point.x));
      points.push_back(rounded(point.y));
    }
    lines.push_back({{"from", line.from}, {"to", line.to}, {"points", std::move(points)}});
  }
  return {{"width", rounded(layout.width)},
          {"height", rounded(layout.height)},
          {"boxes", std::move(list)},
          {"lines", std::move(lines)}};
}

} // namespace

Json graph_section(const Compilation &compilation) { return Picture(compilation.planned).json(); }

} // namespace cnnc::report
