#include "compiler/onnx/import/volume.h"

#include "compiler/onnx/import/reshape.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

using Shape = std::vector<int64_t>;

bool has_fixed_batch(OnnxNode &node, ValueId input) {
  return !node.type_of(input).has_symbolic_batch() ||
         node.fail(fmt::format("over three dimensions the batch must be known: {}",
                               node.importer().advice_to_fix_batch()));
}

/// Zeros around one dimension; negative numbers cut off.
ValueId padded(OnnxNode &node, ValueId value, size_t axis, int64_t before, int64_t after) {
  if (value == no_id)
    return no_id;
  size_t rank = node.type_of(value).rank();
  Shape first(rank, 0), last(rank, 0);
  first[axis] = -before;
  last[axis] = -after;
  value = cut_off(node, value, first, last);
  if (value == no_id || (before <= 0 && after <= 0))
    return value;
  first[axis] = std::max<int64_t>(0, before);
  last[axis] = std::max<int64_t>(0, after);
  return node.emit("pad", {value}, {{"before", first}, {"after", last}});
}

/// For each slice of the filter the slices of the input that it meets, as channels of each group:
/// [n, groups, kd * c / groups, od, h, w].
ValueId slices_as_channels(OnnxNode &node, ValueId input, const Windows &windows, int64_t groups,
                           int64_t depth) {
  const Shape shape = node.type_of(input).shape; // [n, c, d, h, w]
  std::vector<ValueId> parts;
  for (int64_t k = 0; k < windows.kernel[0]; ++k) {
    int64_t start = k * windows.dilation[0], stride = windows.stride[0];
    ValueId part = node.emit("slice", {input},
                             {{"starts", Shape{start}},
                              {"ends", Shape{start + (depth - 1) * stride + 1}},
                              {"axes", Shape{2}},
                              {"steps", Shape{stride}}});
    parts.push_back(
        reshaped(node, part, {shape[0], groups, shape[1] / groups, depth, shape[3], shape[4]}));
  }
  if (parts.size() == 1)
    return parts[0];
  return node.emit("concat", parts, {{"axis", int64_t(2)}});
}

} // namespace

ValueId convolve_volume(OnnxNode &node, std::vector<ValueId> operands, const Windows &windows,
                        int64_t groups) {
  if (std::ranges::find(operands, no_id) != operands.end() || !has_fixed_batch(node, operands[0]))
    return no_id;
  ValueId input = padded(node, operands[0], 2, windows.before[0], windows.after[0]);
  if (input == no_id)
    return no_id;
  const Shape shape = node.type_of(input).shape, filter = node.type_of(operands[1]).shape;
  int64_t extent = windows.dilation[0] * (windows.kernel[0] - 1) + 1;
  if (groups < 1 || shape[1] % groups != 0 || filter[1] != shape[1] / groups || shape[2] < extent) {
    node.fail(fmt::format("the filter {} and {} groups do not fit the input {}",
                          to_string(node.type_of(operands[1])), groups,
                          to_string(node.type_of(input))));
    return no_id;
  }
  int64_t depth = (shape[2] - extent) / windows.stride[0] + 1;
  int64_t channels = windows.kernel[0] * shape[1];
  ValueId slices = slices_as_channels(node, input, windows, groups, depth);
  slices = transposed(node, slices, {0, 3, 1, 2, 4, 5});
  operands[0] = reshaped(node, slices, {shape[0] * depth, channels, shape[3], shape[4]});
  operands[1] = reshaped(node, transposed(node, operands[1], {0, 2, 1, 3, 4}),
                         {filter[0], channels / groups, filter[3], filter[4]});
  ValueId result = node.emit(
      "conv2d", operands,
      {{"stride", Shape{windows.stride[1], windows.stride[2]}},
       {"pad", Shape{windows.before[1], windows.before[2], windows.after[1], windows.after[2]}},
       {"dilation", Shape{windows.dilation[1], windows.dilation[2]}},
       {"groups", groups}});
  if (result == no_id)
    return no_id;
  const Shape maps = node.type_of(result).shape;
  result = reshaped(node, result, {shape[0], depth, maps[1], maps[2], maps[3]});
  return transposed(node, result, {0, 2, 1, 3, 4});
}

ValueId transpose_convolve_volume(OnnxNode &node, std::vector<ValueId> operands,
                                  const Windows &windows, const std::vector<int64_t> &extra,
                                  int64_t groups) {
  if (std::ranges::find(operands, no_id) != operands.end() || !has_fixed_batch(node, operands[0]))
    return no_id;
  const Shape shape = node.type_of(operands[0]).shape, filter = node.type_of(operands[1]).shape;
  if (groups < 1 || shape[1] != filter[0] || filter[0] % groups != 0) {
    node.fail(fmt::format("the filter {} and {} groups do not fit the input {}",
                          to_string(node.type_of(operands[1])), groups,
                          to_string(node.type_of(operands[0]))));
    return no_id;
  }
  Windows plain = windows; // of the convolution that remains
  plain.stride = {1, 1, 1};
  ValueId input = operands[0];
  Shape spread = shape;
  for (size_t i = 0; i < 3; ++i) {
    int64_t stride = windows.stride[i], reach = windows.dilation[i] * (windows.kernel[i] - 1);
    size_t axis = i + 2;
    if (stride > 1) { // [..., d, ...] as [..., d, 1, ...], zeros behind, without the last ones
      Shape apart = spread;
      apart.insert(apart.begin() + static_cast<ptrdiff_t>(axis) + 1, 1);
      input = padded(node, reshaped(node, input, apart), axis + 1, 0, stride - 1);
      spread[axis] *= stride;
      input = padded(node, reshaped(node, input, spread), axis, 0, 1 - stride);
      spread[axis] -= stride - 1;
    }
    input =
        padded(node, input, axis, reach - windows.before[i], reach - windows.after[i] + extra[i]);
    if (input == no_id)
      return no_id;
    spread = node.type_of(input).shape;
    plain.before[i] = plain.after[i] = 0;
  }
  int64_t ic = filter[0] / groups, oc = filter[1];
  ValueId mirrored = node.emit("slice", {operands[1]},
                               {{"starts", Shape{-1, -1, -1}},
                                {"ends", Shape(3, -largest_dim)},
                                {"axes", Shape{2, 3, 4}},
                                {"steps", Shape{-1, -1, -1}}});
  mirrored = reshaped(node, mirrored, {groups, ic, oc, filter[2], filter[3], filter[4]});
  mirrored = transposed(node, mirrored, {0, 2, 1, 3, 4, 5});
  operands[0] = input;
  operands[1] = reshaped(node, mirrored, {groups * oc, ic, filter[2], filter[3], filter[4]});
  return convolve_volume(node, std::move(operands), plain, groups);
}

ValueId pool_volume(OnnxNode &node, std::string_view op, ValueId input, const Windows &windows,
                    const Attributes &attributes) {
  if (input == no_id)
    return no_id;
  auto pool = [&](ValueId value, std::array<size_t, 2> dims) {
    // A dimension beyond the third is one of windows of a single element.
    auto pick = [&](const Shape &list, int64_t none) {
      return Shape{list[dims[0]], dims[1] < 3 ? list[dims[1]] : none};
    };
    Shape pads = pick(windows.before, 0), after = pick(windows.after, 0);
    pads.insert(pads.end(), after.begin(), after.end());
    Attributes all = attributes;
    all.emplace_back("kernel", pick(windows.kernel, 1));
    all.emplace_back("stride", pick(windows.stride, 1));
    all.emplace_back("pad", pads);
    if (op == "max_pool2d")
      all.emplace_back("dilation", pick(windows.dilation, 1));
    return node.emit(op, {value}, all);
  };
  const Shape shape = node.type_of(input).shape; // [n, c, d, h, w]
  ValueId maps = reshaped(node, input, {shape[0], shape[1] * shape[2], shape[3], shape[4]});
  maps = pool(maps, {1, 2});
  if (maps == no_id)
    return no_id;
  int64_t height = node.type_of(maps).shape[2], width = node.type_of(maps).shape[3];
  ValueId columns =
      pool(reshaped(node, maps, {shape[0], shape[1], shape[2], height * width}), {0, 3});
  if (columns == no_id)
    return no_id;
  int64_t depth = node.type_of(columns).shape[2];
  return reshaped(node, columns, {shape[0], shape[1], depth, height, width});
}

} // namespace cnnc
