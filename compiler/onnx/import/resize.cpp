// Resize and Upsample of maps.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/onnx/import/window.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <numeric>

namespace cnnc {

namespace {

/// What Resize computes, per dimension of the input. Empty lists: not given.
struct Resizing {
  std::vector<double> scales;
  std::vector<int64_t> sizes;
  std::vector<double> region; // starts, then ends
};

bool check_lengths(OnnxNode &node, const Resizing &resizing, size_t rank) {
  constexpr double largest_scale = 1e6;
  for (double scale : resizing.scales)
    if (!(scale > 0) || scale > largest_scale)
      return node.fail(
          fmt::format("the scale {} is not above 0 and at most {}", scale, largest_scale));
  for (double position : resizing.region)
    if (!(std::abs(position) <= largest_scale))
      return node.fail(fmt::format("the region (roi) holds {}, but must be within {} and {}",
                                   position, -largest_scale, largest_scale));
  for (int64_t size : resizing.sizes)
    if (size < 1 || size > largest_dim)
      return node.fail(fmt::format("the size {} is not in 1..{}", size, largest_dim));
  if (resizing.scales.empty() == resizing.sizes.empty())
    return node.fail("it needs either scales or sizes");
  size_t given = std::max(resizing.scales.size(), resizing.sizes.size());
  return given == rank ||
         node.fail(fmt::format("{} scales or sizes do not fit {} dimensions", given, rank));
}

/// Since opset 18 the lists may be for some axes only.
template <class T>
bool spread(OnnxNode &node, std::vector<T> &list, const std::vector<int64_t> &axes,
            std::vector<T> all) {
  if (list.empty())
    return true;
  if (list.size() != axes.size())
    return node.fail(fmt::format("{} numbers do not fit {} axes", list.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i)
    all[static_cast<size_t>(axes[i])] = list[i];
  list = std::move(all);
  return true;
}

/// The same for a region: the other dimensions stay whole.
void spread_region(std::vector<double> &region, const std::vector<int64_t> &axes, size_t rank) {
  std::vector<double> all(rank, 0);
  all.resize(2 * rank, 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    all[static_cast<size_t>(axes[i])] = region[i];
    all[rank + static_cast<size_t>(axes[i])] = region[axes.size() + i];
  }
  region = std::move(all);
}

/// keep_aspect_ratio_policy: one scale for all the axes given, so that none is larger (smaller)
/// than its size. That scale counts in coordinates, not the quotient of the sizes, which are
/// rounded.
bool apply_policy(OnnxNode &node, Resizing &resizing, const std::vector<int64_t> &axes,
                  const std::vector<int64_t> &shape) {
  std::string policy = node.word("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    return node.fail(fmt::format("'keep_aspect_ratio_policy' is '{}', but must be stretch, "
                                 "not_larger or not_smaller",
                                 printable(policy)));
  if (policy == "stretch" || resizing.sizes.empty())
    return true;
  if (is_empty(node.type(0)))
    return node.fail(fmt::format("{} has no elements to resize", to_string(node.type(0))));
  bool not_larger = policy == "not_larger";
  double scale = not_larger ? INFINITY : 0;
  for (int64_t axis : axes) {
    auto i = static_cast<size_t>(axis);
    double own = static_cast<double>(resizing.sizes[i]) / static_cast<double>(shape[i]);
    scale = not_larger ? std::min(scale, own) : std::max(scale, own);
  }
  for (int64_t axis : axes) {
    auto i = static_cast<size_t>(axis);
    double size = std::round(scale * static_cast<double>(shape[i]));
    resizing.sizes[i] = static_cast<int64_t>(std::min(size, static_cast<double>(largest_dim) + 1));
  }
  if (!check_lengths(node, resizing, shape.size()))
    return false;
  resizing.scales.assign(shape.size(), 1);
  for (int64_t axis : axes)
    resizing.scales[static_cast<size_t>(axis)] = scale;
  return true;
}

/// The dimensions that the lists are for, in their order: all of them without 'axes'.
std::optional<std::vector<int64_t>> read_resized_axes(OnnxNode &node) {
  std::vector<int64_t> axes(node.rank(0));
  std::iota(axes.begin(), axes.end(), int64_t(0));
  std::optional<std::vector<int64_t>> given = node.integers("axes");
  if (!given)
    return axes;
  for (int64_t &axis : *given) {
    std::optional<size_t> counted = read_axis(node, axis, node.rank(0));
    if (!counted)
      return std::nullopt;
    axis = static_cast<int64_t>(*counted);
  }
  return given;
}

/// The lists as the node has them.
std::optional<Resizing> read_lists(OnnxNode &node) {
  Resizing resizing;
  bool with_region = node.opset() >= 11;
  size_t scales = with_region ? 2 : 1;
  auto read_numbers = [&](size_t input, std::string_view what, std::vector<double> &to) {
    if (!node.has(input))
      return true;
    std::optional<std::vector<double>> list = node.known_numbers(input, what);
    to = list.value_or(std::vector<double>());
    return list.has_value();
  };
  if (!read_numbers(scales, "the scales", resizing.scales) ||
      (with_region && !read_numbers(1, "the region", resizing.region)))
    return std::nullopt;
  if (with_region && node.has(3)) {
    std::optional<std::vector<int64_t>> sizes = node.known_shape(3, "the sizes");
    if (!sizes)
      return std::nullopt;
    // The batch keeps its size: what is known of it is a marker.
    resizing.sizes = *sizes;
    std::replace(resizing.sizes.begin(), resizing.sizes.end(), batch_marker, int64_t(1));
  }
  if (!resizing.sizes.empty())
    resizing.scales.clear(); // exporters leave an empty or dummy list
  return resizing;
}

/// The lists for all dimensions.
std::optional<Resizing> read_resizing(OnnxNode &node) {
  std::optional<std::vector<int64_t>> axes = read_resized_axes(node);
  std::optional<Resizing> resizing = axes ? read_lists(node) : std::nullopt;
  if (!resizing)
    return std::nullopt;
  size_t rank = node.rank(0);
  std::vector<int64_t> same = node.shape(0);
  std::replace(same.begin(), same.end(), symbolic_dim, int64_t(1));
  // Regions that are not used may have any length.
  if (resizing->region.size() == 2 * axes->size())
    spread_region(resizing->region, *axes, rank);
  bool ok = spread(node, resizing->sizes, *axes, same) &&
            spread(node, resizing->scales, *axes, std::vector<double>(rank, 1)) &&
            check_lengths(node, *resizing, rank) && apply_policy(node, *resizing, *axes, same);
  return ok ? resizing : std::nullopt;
}

/// The dimensions of maps; all others must keep their sizes.
bool check_dimensions(OnnxNode &node, const Resizing &resizing) {
  const std::vector<int64_t> &shape = node.shape(0);
  if (shape.size() < 3 || shape.size() > 5)
    return node.fail(fmt::format("its input is {}; only maps of one to three dimensions, "
                                 "[n, c, w] to [n, c, d, h, w], can be resized",
                                 to_string(node.type(0))));
  for (size_t i = 0; i < 2; ++i) {
    bool same = resizing.sizes.empty() ? resizing.scales[i] == 1
                                       : shape[i] == symbolic_dim || resizing.sizes[i] == shape[i];
    if (!same)
      return node.fail("only the dimensions behind [n, c] can be resized");
  }
  return true;
}

Attributes coordinate_attributes(OnnxNode &node) {
  bool old = node.opset() < 11; // Upsample, and Resize 10
  std::string mode = node.word("mode", "nearest");
  Attributes attributes = {{"mode", Word{mode}}};
  std::string coordinates =
      node.word("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  attributes.emplace_back("coordinates", Word{coordinates});
  std::string nearest = node.word("nearest_mode", "round_prefer_floor");
  if (mode == "nearest" && !old)
    attributes.emplace_back("nearest", Word{nearest});
  double a = node.number("cubic_coeff_a", -0.75);
  bool exclude = node.integer("exclude_outside", 0) != 0;
  if (mode == "cubic")
    attributes.emplace_back("cubic_coeff_a", a);
  if (exclude)
    attributes.emplace_back("exclude_outside", true);
  double extrapolation = node.number("extrapolation_value", 0);
  if (coordinates == "tf_crop_and_resize")
    attributes.emplace_back("extrapolation_value", extrapolation);
  return attributes;
}

bool check_words(OnnxNode &node, const Attributes &attributes) {
  static const std::vector<std::pair<std::string_view, std::vector<std::string_view>>> known = {
      {"mode", {"nearest", "linear", "cubic"}},
      {"coordinates",
       {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners",
        "tf_crop_and_resize", "tf_half_pixel_for_nn"}},
      {"nearest", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}}};
  for (const auto &[name, value] : attributes)
    for (const auto &[attribute, words] : known)
      if (name == attribute && std::ranges::find(words, std::get<Word>(value).text) == words.end())
        return node.fail(fmt::format("the {} '{}' is not supported, only {}", name,
                                     printable(std::get<Word>(value).text),
                                     fmt::join(words, ", ")));
  return true;
}

/// Rounded down in f32, as ONNX's definition has it; of a region only its part counts.
int64_t scaled_size(int64_t size, double scale, double part) {
  return static_cast<int64_t>(
      std::floor(static_cast<float>(size) * static_cast<float>(part) * static_cast<float>(scale)));
}

std::vector<int64_t> resized(const Resizing &resizing, const std::vector<int64_t> &shape,
                             bool crops) {
  std::vector<int64_t> sizes(resizing.sizes.begin() + (resizing.sizes.empty() ? 0 : 2),
                             resizing.sizes.end());
  size_t rank = shape.size();
  for (size_t i = 2; resizing.sizes.empty() && i < rank; ++i) {
    double part = crops ? resizing.region[rank + i] - resizing.region[i] : 1;
    sizes.push_back(scaled_size(shape[i], resizing.scales[i], part));
  }
  return sizes;
}

/// The part of a list that belongs to maps, of a single dimension as the second of two.
std::vector<double> of_maps(const std::vector<double> &list, size_t first, double other) {
  std::vector<double> result(list.begin() + static_cast<ptrdiff_t>(first), list.end());
  if (result.size() == 1)
    result.insert(result.begin(), other);
  return result;
}

/// What one or two ops resize: some axes of maps, all of them with the same attributes.
struct Stage {
  std::vector<int64_t> sizes;
  std::vector<double> scales; // or none
  Attributes attributes;
};

/// Maps of three dimensions: every slice first, then along the depth. All modes work dimension by
/// dimension, and leave one that keeps its size alone.
ValueId resize_volume(OnnxNode &node, ValueId value, const Stage &stage) {
  const std::vector<int64_t> shape = node.type_of(value).shape, &sizes = stage.sizes;
  auto step = [&](int64_t height, int64_t width, double height_scale, double width_scale) {
    Attributes all = stage.attributes;
    all.emplace_back("sizes", std::vector<int64_t>{height, width});
    if (!stage.scales.empty())
      all.emplace_back("scales", std::vector<double>{height_scale, width_scale});
    value = node.emit_arithmetic("resize2d", {value}, all);
  };
  auto scale = [&](size_t i) { return stage.scales.empty() ? 1 : stage.scales[i]; };
  int64_t area = sizes[1] * sizes[2];
  value = reshaped(node, value, {shape[0], shape[1] * shape[2], shape[3], shape[4]});
  step(sizes[1], sizes[2], scale(1), scale(2));
  value = reshaped(node, value, {shape[0], shape[1], shape[2], area});
  step(sizes[0], area, scale(0), 1);
  return reshaped(node, value, {shape[0], shape[1], sizes[0], sizes[1], sizes[2]});
}

ValueId resize_maps(OnnxNode &node, ValueId value, const Stage &stage) {
  if (stage.sizes.size() == 3)
    return resize_volume(node, value, stage);
  Attributes attributes = stage.attributes;
  attributes.emplace_back("sizes", two(stage.sizes, 1));
  if (!stage.scales.empty())
    attributes.emplace_back("scales", of_maps(stage.scales, 0, 1));
  value = node.emit_arithmetic("resize2d", {as_rows(node, value)}, attributes);
  return from_rows(node, value, stage.sizes.size());
}

/// The region, of a single dimension as the second of two.
std::vector<double> region_of_maps(const Resizing &resizing, size_t rank) {
  std::vector<double> starts(resizing.region.begin() + 2,
                             resizing.region.begin() + static_cast<ptrdiff_t>(rank));
  std::vector<double> region = {0, 0}; // the batch and the channels as they are
  std::ranges::copy(of_maps(starts, 0, 0), std::back_inserter(region));
  region.insert(region.end(), {1, 1});
  std::ranges::copy(of_maps(resizing.region, rank + 2, 1), std::back_inserter(region));
  return region;
}

/// The same for the axes chosen alone; the others of the value keep their sizes. Null when nothing
/// changes.
std::optional<Stage> stage_of_axes(const Stage &whole, const std::vector<int64_t> &shape,
                                   const std::function<bool(size_t)> &is_chosen) {
  Stage stage = whole;
  bool changes = false;
  for (size_t i = 0; i < whole.sizes.size(); ++i) {
    const bool chosen = is_chosen(i);
    changes |= chosen;
    if (!chosen)
      stage.sizes[i] = shape[2 + i];
    if (!chosen && !whole.scales.empty())
      stage.scales[i] = 1;
  }
  return changes ? std::optional(stage) : std::nullopt;
}

/// Antialiased, one axis after the other, as each position is made of many elements. As in ONNX
/// Runtime an axis that keeps its size is left alone, whatever its scale. Elsewhere that gives what
/// ONNX's definition does, at the borders, too.
ValueId resize_antialiased(OnnxNode &node, Stage whole) {
  whole.attributes.emplace_back("antialias", true);
  ValueId value = node.operand(0);
  for (size_t axis = 0; value != no_id && axis < whole.sizes.size(); ++axis) {
    const std::vector<int64_t> shape = node.type_of(value).shape;
    const bool changes = whole.sizes[axis] != shape[2 + axis];
    if (auto stage = stage_of_axes(whole, shape, [&](size_t i) { return changes && i == axis; }))
      value = resize_maps(node, value, *stage);
  }
  return value;
}

/// Until opset 10 mode nearest takes the element behind a coordinate where an axis becomes smaller,
/// and else the one before: both directions are ops of their own.
ValueId resize_old_nearest(OnnxNode &node, const Stage &whole) {
  ValueId value = node.operand(0);
  for (const bool smaller : {true, false}) {
    if (value == no_id)
      return value;
    std::optional<Stage> stage = stage_of_axes(whole, node.type_of(value).shape, [&](size_t i) {
      return (whole.scales[i] < 1) == smaller;
    });
    if (!stage)
      continue;
    stage->attributes.emplace_back("nearest", Word{smaller ? "ceil" : "floor"});
    value = resize_maps(node, value, *stage);
  }
  return value;
}

bool resize(OnnxNode &node, const Resizing &resizing) {
  if (!check_dimensions(node, resizing))
    return false;
  Stage whole;
  whole.attributes = coordinate_attributes(node);
  const bool antialias = node.integer("antialias", 0) != 0;
  if (!check_words(node, whole.attributes))
    return false;
  size_t rank = node.rank(0);
  const std::string mode = node.word("mode", "nearest");
  const bool crops = std::get<Word>(whole.attributes[1].second).text == "tf_crop_and_resize";
  if (crops && resizing.region.size() != 2 * rank)
    return node.fail("'tf_crop_and_resize' needs a region (roi) of 2 numbers for each dimension");
  if (antialias && (crops || mode == "nearest"))
    return node.fail("only modes linear and cubic, without tf_crop_and_resize, can be antialiased");
  whole.sizes = resized(resizing, node.shape(0), crops);
  if (!resizing.scales.empty())
    whole.scales.assign(resizing.scales.begin() + 2, resizing.scales.end());
  if (rank == 5 && (crops || !checked_mul(node.shape(0)[1], node.shape(0)[2]) ||
                    !checked_mul(whole.sizes[1], whole.sizes[2])))
    return node.fail("maps of three dimensions cannot be cropped, or are too large");
  if (crops)
    whole.attributes.emplace_back("roi", region_of_maps(resizing, rank));
  if (antialias)
    return node.result(resize_antialiased(node, std::move(whole)));
  if (mode == "nearest" && node.opset() < 11)
    return node.result(resize_old_nearest(node, whole));
  return node.result(resize_maps(node, node.operand(0), whole));
}

bool import_resize(OnnxNode &node) {
  if (!node.require_inputs(1, node.opset() < 11 ? 2 : 4))
    return false;
  std::optional<Resizing> resizing = read_resizing(node);
  return resizing && resize(node, *resizing);
}

/// Until opset 8 scales are an attribute, before opset 7 one for each side of maps.
bool import_upsample(OnnxNode &node) {
  size_t inputs = node.opset() < 9 ? 1 : 2;
  if (!node.require_inputs(inputs, inputs))
    return false;
  Resizing resizing;
  std::optional<std::vector<double>> scales;
  if (node.opset() >= 9)
    scales = node.known_numbers(1, "the scales");
  else if (node.opset() >= 7)
    scales = node.numbers("scales");
  else
    scales = {1, 1, node.number("height_scale", 0), node.number("width_scale", 0)};
  if (!scales)
    return node.opset() < 9 && node.fail("it has no 'scales'");
  resizing.scales = *scales;
  return check_lengths(node, resizing, node.rank(0)) && resize(node, resizing);
}

constexpr ImportRow rows[] = {{"Resize", import_resize}, {"Upsample", import_upsample}};

} // namespace

std::span<const ImportRow> resize_imports() { return rows; }

} // namespace cnnc
