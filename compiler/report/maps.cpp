// Feature maps as pictures, the filters of the first layer, and which part of the input an element
// depends on. The section is
//
//   {"made": true, "input": PICTURE, "values": [PICTURE ..], "filters": PICTURE}
//
// where "made" says that no input was given, for the first input if it is an image, every f32 value
// [n, c, h, w] or [n, c] that depends on it, and the filter of the first convolution; "input" and
// "filters" may be missing. A picture is
//
//   {"name": "relu1", "op": "relu", "shape": [6, 28, 28], "shown": [6, 28, 28], "scale": 1,
//    "low": 0, "high": 2.5, "field": [{"size": 5, "stride": 1, "start": -2, "whole": false}, ..],
//    "bytes": ".."}
//
// and of a value [n, c] "greatest": [[index, number] ..], the greatest first. "shown" are the first
// channels, and rows and columns of means over scale x scale elements. The bytes are 0 for "low"
// and 255 for "high", which are the least and the greatest of what is shown. "field" is the
// receptive field in rows and columns, null where it is not known. A filter [oc, ic, kh, kw] is
// shown as [oc, ic, kh, kw].
#include "compiler/report/sections.h"

#include "compiler/analysis/receptive_field.h"
#include "compiler/reference/floats.h"
#include "compiler/support/ceil_div.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace cnnc::report {

namespace {

constexpr int64_t bytes_of_page = 2'000'000;      // of all maps, before they are deflated
constexpr int64_t most_maps = 64, fewer_maps = 4; // and as many less at a time
constexpr int64_t most_side = 56;                 // of a map
constexpr int64_t most_side_of_input = 224;
constexpr int64_t most_filters = 64, most_filter_channels = 3;
constexpr int64_t most_elements = 1000; // of a vector
constexpr int64_t shades = 64;          // deflate half as well as 256, and nobody sees more

/// The channels, rows and columns of a map that are shown, and the side of the squares whose mean
/// an element is.
struct Extent {
  int64_t channels, rows, columns, scale;
  int64_t bytes() const { return channels * rows * columns; }
};

/// [n, c, h, w] or [n, c] as channels, rows and columns; empty for other shapes.
std::optional<std::array<int64_t, 3>> planes_of(const TensorType &type) {
  if (type.dtype != DType::f32 || (type.rank() != 4 && type.rank() != 2))
    return std::nullopt;
  if (type.rank() == 2)
    return std::array<int64_t, 3>{type.shape[1], 1, 1};
  return std::array<int64_t, 3>{type.shape[1], type.shape[2], type.shape[3]};
}

Extent extent_of(const std::array<int64_t, 3> &shape, int64_t channels, int64_t side) {
  const int64_t scale = std::max<int64_t>(1, ceil_div(std::max(shape[1], shape[2]), side));
  const bool vector = shape[1] * shape[2] == 1;
  return {std::min(shape[0], vector ? most_elements : channels), ceil_div(shape[1], scale),
          ceil_div(shape[2], scale), scale};
}

/// The means over squares of a plane, row by row; squares at the end are what is left.
void add_means(std::span<const float> plane, int64_t height, int64_t width, const Extent &extent,
               std::vector<float> &means) {
  const int64_t scale = extent.scale;
  for (int64_t row = 0; row < extent.rows; ++row)
    for (int64_t column = 0; column < extent.columns; ++column) {
      double sum = 0;
      int64_t count = 0;
      for (int64_t y = row * scale; y < std::min(height, (row + 1) * scale); ++y)
        for (int64_t x = column * scale; x < std::min(width, (column + 1) * scale); ++x, ++count)
          sum += plane[static_cast<size_t>(y * width + x)];
      means.push_back(static_cast<float>(sum / static_cast<double>(count)));
    }
}

/// Least and greatest finite number; 0 and 0 when there is none.
std::pair<float, float> range_of(const std::vector<float> &numbers) {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (float number : numbers)
    if (std::isfinite(number)) {
      low = std::min(low, number);
      high = std::max(high, number);
    }
  return low <= high ? std::pair(low, high) : std::pair(0.0F, 0.0F);
}

/// Numbers as shades, and what the darkest and the lightest stand for.
void add_shades(Json &picture, const std::vector<float> &numbers) {
  const auto [low, high] = range_of(numbers);
  const double width = static_cast<double>(high) - low;
  std::string bytes;
  for (float number : numbers) {
    const double part =
        !std::isfinite(number) || width == 0 ? 0.0 : (static_cast<double>(number) - low) / width;
    bytes += static_cast<char>(std::lround(std::round(part * (shades - 1)) * 255 / (shades - 1)));
  }
  picture["low"] = low;
  picture["high"] = high;
  picture["bytes"] = blob(bytes);
}

Json describe_field(const std::optional<ReceptiveField> &field) {
  if (!field)
    return nullptr;
  Json axes = Json::array();
  for (const AxisField &axis : *field)
    axes.push_back({{"size", axis.size},
                    {"stride", axis.stride},
                    {"start", axis.start},
                    {"whole", axis.whole}});
  return axes;
}

bool has_nan(const Tensor &tensor) {
  return std::ranges::any_of(tensor.floats(), [](float number) { return std::isnan(number); });
}

/// Index and number of the greatest elements of a vector.
Json greatest_of(const Tensor &vector) {
  constexpr size_t most = 5;
  const std::span<const float> numbers = vector.floats();
  std::vector<size_t> order(static_cast<size_t>(vector.shape()[1]));
  std::iota(order.begin(), order.end(), size_t(0));
  const size_t count = std::min(most, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<ptrdiff_t>(count),
                            [&](size_t a, size_t b) { return numbers[a] > numbers[b]; });
  Json greatest = Json::array();
  for (size_t index : std::span(order).first(count))
    greatest.push_back({index, numbers[index]});
  return greatest;
}

/// A value as a picture.
Json describe_map(const std::string &name, const Tensor &tensor,
                  const std::array<int64_t, 3> &shape, const Extent &extent) {
  Json picture = {{"name", name},
                  {"shape", shape},
                  {"shown", {extent.channels, extent.rows, extent.columns}},
                  {"scale", extent.scale}};
  const auto area = static_cast<size_t>(shape[1] * shape[2]);
  std::vector<float> means;
  for (int64_t channel = 0; channel < extent.channels; ++channel)
    add_means(tensor.floats().subspan(static_cast<size_t>(channel) * area, area), shape[1],
              shape[2], extent, means);
  add_shades(picture, means);
  if (shape[1] * shape[2] == 1 && !has_nan(tensor))
    picture["greatest"] = greatest_of(tensor);
  return picture;
}

/// A value that has maps.
struct Shown {
  ValueId id;
  std::array<int64_t, 3> shape;
};

std::vector<Shown> shown_values(const Graph &graph) {
  std::vector<Shown> result;
  for (const Node &node : graph.nodes)
    for (ValueId id : node.results)
      if (const auto shape = planes_of(graph.type(id));
          shape && !graph.is_constant(id) && !is_empty(graph.type(id)))
        result.push_back({id, *shape});
  return result;
}

/// As many maps of each value as the page has room for.
int64_t maps_of_each(const std::vector<Shown> &values) {
  int64_t maps = most_maps;
  auto bytes = [&] {
    int64_t sum = 0;
    for (const Shown &value : values)
      sum += extent_of(value.shape, maps, most_side).bytes();
    return sum;
  };
  while (maps > fewer_maps && bytes() > bytes_of_page)
    maps -= fewer_maps;
  return maps;
}

/// The filter of the first convolution, [oc, ic, kh, kw].
std::optional<Json> describe_filters(const Graph &graph, const KnownValues &values) {
  const auto first = std::ranges::find_if(
      graph.nodes, [](const Node &node) { return std::holds_alternative<Conv2d>(node.op); });
  if (first == graph.nodes.end())
    return std::nullopt;
  const std::optional<Tensor> filter = values.find(first->operands[1]);
  if (!filter)
    return std::nullopt;
  const std::vector<int64_t> &shape = filter->shape();
  const std::array<int64_t, 4> shown = {std::min(shape[0], most_filters),
                                        std::min(shape[1], most_filter_channels), shape[2],
                                        shape[3]};
  const int64_t window = shape[2] * shape[3];
  const reference::Floats elements(*filter); // of integers, too
  std::vector<float> numbers;
  for (int64_t channel = 0; channel < shown[0]; ++channel) {
    const std::span<const float> part = elements.all().subspan(
        static_cast<size_t>(channel * shape[1] * window), static_cast<size_t>(shown[1] * window));
    numbers.insert(numbers.end(), part.begin(), part.end());
  }
  Json picture = {
      {"name", graph.value(first->results[0]).name}, {"shape", shape}, {"shown", shown}};
  add_shades(picture, numbers);
  return picture;
}

Json maps(const Graph &graph, const KnownValues &values) {
  const std::vector<std::optional<ReceptiveField>> fields = receptive_fields(graph);
  Json result = Json::object();
  if (!graph.inputs.empty() && graph.type(graph.inputs[0]).rank() == 4)
    if (const std::optional<Tensor> input = values.find(graph.inputs[0]))
      if (const auto shape = planes_of(input->type()))
        result["input"] = describe_map(graph.value(graph.inputs[0]).name, *input, *shape,
                                       extent_of(*shape, 3, most_side_of_input));
  const std::vector<Shown> shown = shown_values(graph);
  const int64_t each = maps_of_each(shown);
  result["values"] = Json::array();
  for (const Shown &value : shown) {
    const std::optional<Tensor> tensor = values.find(value.id);
    if (!tensor)
      continue;
    const Value &named = graph.value(value.id);
    Json picture =
        describe_map(named.name, *tensor, value.shape, extent_of(value.shape, each, most_side));
    picture["op"] = info_of(graph.nodes[named.producer].op).name;
    picture["field"] = describe_field(fields[value.id]);
    result["values"].push_back(std::move(picture));
  }
  if (std::optional<Json> filters = describe_filters(graph, values))
    result["filters"] = std::move(*filters);
  return result;
}

} // namespace

Json maps_section(const Compilation &compilation) {
  const Graph &graph = compilation.simplified;
  if (compilation.values.empty() || !compilation.constants)
    return nullptr;
  Json section = maps(graph, {graph, compilation.constants->provider(graph), compilation.values});
  section["made"] = !compilation.measured;
  return section["values"].empty() ? Json() : section;
}

} // namespace cnnc::report
