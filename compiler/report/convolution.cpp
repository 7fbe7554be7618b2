// How convolutions and pools work, with the numbers of one input: what the page's sliding window
// shows of every conv2d, max_pool2d and avg_pool2d.
//
//   {"made": true, "layers": [LAYER ..]}
//
// where "made" says that no input was given. One layer for each of these ops of a graph with
// kernels and schedules, in its order; ops whose operands are not known have none. The numbers are
// a part of each layer, from the top left corner:
//
//   {"name": "conv1", "op": "conv2d", "kernel": "conv1",
//    "input": {"name": "image", "shape": [1, 28, 28]}, "output": {.., "shape": [6, 28, 28]},
//    "window": [5, 5], "stride": [1, 1], "pad": [2, 2, 2, 2], "dilation": [1, 1], "groups": 1,
//    "shown": {"inputs": [0], "input": [28, 28], "channels": [0, 1, ..], "output": [28, 28],
//              "terms": 1},
//    "winograd": 0, "rest": false, "schedule": {..}, "after": ["relu"], "numbers": ".."}
//
// "shown": the input channels, their rows and columns; the output channels, and theirs; how many
// input channels of an output channel have their filter here, which are all unless there is a
// "rest". Pools have "winners" or "count_padding" instead of what comes behind. "numbers" are f32,
// one list behind the other. Of a conv2d: input [channel, row, column], filter [channel, term,
// window], bias [channel], what the terms that are not shown add [channel, row, column], the
// result, and what each op in "after" makes of it. Of a pool: input, result, and of max_pool2d
// which element of the window won, counted row by row. All results are those of the reference
// interpreter.
#include "compiler/report/sliding.h"

#include <algorithm>

namespace cnnc::report {

namespace {

/// What a page has room for.
constexpr int64_t numbers_of_page = 240'000;                    // f32, of all layers
constexpr int64_t least_numbers = 1'500, most_numbers = 12'000; // of one of them

std::optional<Layer> describe_layer(const Graph &graph, const Node &node,
                                    const std::vector<std::vector<NodeId>> &members,
                                    const KnownValues &values, int64_t most) {
  if (is_empty(graph.type(node.results[0])))
    return std::nullopt;
  if (std::holds_alternative<Conv2d>(node.op))
    return convolution_layer(graph, node,
                             node.kernel == no_id ? std::vector<NodeId>() : members[node.kernel],
                             values, most);
  return pool_layer(graph, node, values, most);
}

Json windows(const Graph &graph, const KnownValues &values) {
  const auto count = std::ranges::count_if(graph.nodes, [](const Node &node) {
    return is_one_of<Conv2d, MaxPool2d, AvgPool2d>(node.op);
  });
  const int64_t most =
      std::clamp(numbers_of_page / std::max<int64_t>(1, count), least_numbers, most_numbers);
  const std::vector<std::vector<NodeId>> members = kernel_members(graph);
  Json result = Json::array();
  for (const Node &node : graph.nodes)
    if (std::optional<Layer> layer = describe_layer(graph, node, members, values, most)) {
      layer->json["numbers"] = blob({reinterpret_cast<const char *>(layer->numbers.data()),
                                     layer->numbers.size() * sizeof(float)});
      result.push_back(std::move(layer->json));
    }
  return result;
}

} // namespace

Json convolution_section(const Compilation &compilation) {
  const Graph &graph = compilation.planned;
  if (compilation.values.empty() || !compilation.constants)
    return nullptr;
  Json layers = windows(graph, {graph, compilation.constants->provider(graph), compilation.values});
  return layers.empty() ? Json()
                        : Json{{"made", !compilation.measured}, {"layers", std::move(layers)}};
}

} // namespace cnnc::report
