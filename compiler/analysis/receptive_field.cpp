#include "compiler/analysis/receptive_field.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

using Field = std::optional<ReceptiveField>;

constexpr AxisField whole_axis{0, 0, 0, true};

/// Results are far from overflow for all nets that fit a machine; absurd ones get no field.
std::optional<AxisField> slide(AxisField field, int64_t kernel, int64_t stride, int64_t pad,
                               int64_t dilation) {
  if (field.whole)
    return field;
  if (field.stride == 0)
    return std::nullopt;
  std::optional<int64_t> reach = checked_mul(dilation, kernel - 1);
  std::optional<int64_t> width = reach ? checked_mul(*reach, field.stride) : std::nullopt;
  std::optional<int64_t> size = width ? checked_add(field.size, *width) : std::nullopt;
  std::optional<int64_t> shift = checked_mul(-pad, field.stride);
  std::optional<int64_t> start = shift ? checked_add(field.start, *shift) : std::nullopt;
  std::optional<int64_t> step = checked_mul(field.stride, stride);
  if (!size || !start || !step)
    return std::nullopt;
  return AxisField{*size, *step, *start};
}

Field slide(const Field &field, const std::array<int64_t, 2> &kernel,
            const std::array<int64_t, 2> &stride, const std::array<int64_t, 4> &pad,
            const std::array<int64_t, 2> &dilation) {
  if (!field)
    return field;
  ReceptiveField result;
  for (size_t i = 0; i < 2; ++i) {
    std::optional<AxisField> axis = slide((*field)[i], kernel[i], stride[i], pad[i], dilation[i]);
    if (!axis)
      return std::nullopt;
    result[i] = *axis;
  }
  return result;
}

AxisField join(const AxisField &a, const AxisField &b) {
  if (a.whole || b.whole)
    return whole_axis;
  if (a.stride != b.stride || a.stride == 0)
    return {std::max(a.size, b.size), 0, 0};
  int64_t start = std::min(a.start, b.start);
  return {std::max(a.start + a.size, b.start + b.size) - start, a.stride, start};
}

/// Computes the field of one result of a node from those of its operands.
class Step {
public:
  Step(const Graph &graph, const std::vector<Field> &fields, const Node &node, size_t result)
      : graph_(graph), fields_(fields), node_(node), result_(result) {}

  Field operator()(const Conv2d &conv) const {
    return slide(operand(0), spatial(node_.operands[1], 2), conv.stride, conv.pad, conv.dilation);
  }
  Field operator()(const Local2d &local) const {
    return slide(operand(0), spatial(node_.operands[1], 4), local.stride, local.pad,
                 local.dilation);
  }
  /// Neighbouring results depend on the same elements, or on the next ones: positions follow no
  /// whole stride.
  Field operator()(const ConvTranspose2d &conv) const {
    std::array<int64_t, 2> kernel = spatial(node_.operands[1], 2);
    for (size_t i = 0; i < 2; ++i) {
      int64_t reach = conv.dilation[i] * (kernel[i] - 1) + 1;
      kernel[i] = (reach + conv.stride[i] - 1) / conv.stride[i];
    }
    return irregular(slide(operand(0), kernel, {1, 1}, {}, {1, 1}));
  }
  Field operator()(const MaxPool2d &pool) const {
    return slide(operand(0), pool.kernel, pool.stride, pool.pad, pool.dilation);
  }
  Field operator()(const MaxPool2dIndices &pool) const {
    return slide(operand(0), pool.kernel, pool.stride, pool.pad, pool.dilation);
  }
  Field operator()(const MaxUnpool2d &) const { return irregular(joined()); }
  Field operator()(const AvgPool2d &pool) const {
    return slide(operand(0), pool.kernel, pool.stride, pool.pad, {1, 1});
  }
  Field operator()(const GlobalAvgPool2d &) const { return whole({true, true}); }
  Field operator()(const Dense &) const { return whole({true, true}); }
  Field operator()(const OfCategory<Category::elementwise> auto &) const { return joined(); }
  Field operator()(const BatchNorm &) const { return operand(0); }
  Field operator()(const Relayout &) const { return operand(0); }

  /// Positions of the result do not follow a stride of whole numbers.
  Field operator()(const Resize2d &resize) const {
    Field field = operand(0);
    for (size_t i = 0; field && i < 2; ++i) {
      int64_t taps = resize.mode == ResizeMode::nearest  ? 1
                     : resize.mode == ResizeMode::linear ? 2
                                                         : 4;
      if (resize.antialias)
        taps = static_cast<int64_t>(std::ceil(
            static_cast<double>(taps) / std::min(1.0, resize.scale(i, input_shape()[2 + i]))));
      AxisField &axis = (*field)[i];
      std::optional<int64_t> more = checked_mul(axis.stride, taps - 1);
      std::optional<int64_t> size = more ? checked_add(axis.size, *more) : std::nullopt;
      if (!axis.whole && size)
        axis.size = *size;
    }
    return irregular(field);
  }

  /// Any element along the axis may be the one that is taken.
  Field operator()(const Gather &gather) const { return irregular(mixed({gather.axis})); }

  Field operator()(const Softmax &softmax) const { return mixed({softmax.axis}); }
  Field operator()(const LogSoftmax &softmax) const { return mixed({softmax.axis}); }
  Field operator()(const Hardmax &hardmax) const { return mixed({hardmax.axis}); }
  Field operator()(const LayerNorm &norm) const {
    std::vector<int64_t> axes;
    for (int64_t axis = norm.axis; axis < (norm.axis < 0 ? 0 : std::ssize(input_shape())); ++axis)
      axes.push_back(axis);
    return mixed(axes);
  }
  Field operator()(const InstanceNorm &) const { return whole({true, true}); }
  Field operator()(const GroupNorm &) const { return whole({true, true}); }
  Field operator()(const Lrn &) const { return operand(0); }

  Field operator()(const Matmul &) const {
    Field field = joined();
    return field ? ReceptiveField{whole_axis, whole_axis} : field;
  }

  template <ReduceKind kind> Field operator()(const Reduce<kind> &reduce) const {
    Field field = mixed(reduce.axes);
    return reduce.keep_dims ? field : irregular(field);
  }
  template <bool largest> Field operator()(const ArgExtreme<largest> &arg) const {
    Field field = mixed({arg.axis});
    return arg.keep_dims ? field : irregular(field);
  }
  Field operator()(const TopK &top) const { return irregular(mixed({top.axis})); }

  Field operator()(const Concat &concat) const {
    return is_spatial(concat.axis) ? irregular(joined()) : joined();
  }

  Field operator()(const Split &split) const {
    Field field = operand(0);
    if (!field || !is_spatial(split.axis))
      return field;
    int64_t before = 0;
    for (size_t i = 0; i < result_; ++i)
      before += split.sizes[i];
    return moved(field, spatial_index(split.axis), before, 1);
  }

  Field operator()(const Slice &slice) const {
    Field field = operand(0);
    std::vector<Slice::Range> ranges = slice.ranges(input_shape());
    for (size_t i = 0; field && ranges.size() == 4 && i < 2; ++i)
      field = moved(field, i, ranges[2 + i].start, ranges[2 + i].step);
    return field;
  }

  Field operator()(const Pad &pad) const {
    Field field = operand(0);
    bool mirrored = pad.mode == PadMode::reflect || pad.mode == PadMode::wrap;
    for (size_t i = 0; field && pad.before.size() == 4 && i < 2; ++i) {
      field = moved(field, i, -pad.before[2 + i], 1);
      if (mirrored && (pad.before[2 + i] > 0 || pad.after[2 + i] > 0) && !(*field)[i].whole)
        (*field)[i].stride = 0;
    }
    return field;
  }

  Field operator()(const OfCategory<Category::view> auto &) const { return irregular(operand(0)); }
  Field operator()(const Expand &) const { return irregular(operand(0)); }

  Field operator()(const Transpose &transpose) const {
    const std::vector<int64_t> &p = transpose.permutation;
    bool keeps_plane = p.size() == 4 && p[2] == 2 && p[3] == 3;
    return keeps_plane ? operand(0) : irregular(operand(0));
  }

  Field operator()(const DepthToSpace &) const { return irregular(operand(0)); }
  Field operator()(const SpaceToDepth &op) const {
    return slide(operand(0), op.block, op.block, {}, {1, 1});
  }

  // The way back has no part of the image.
  Field operator()(const OfCategory<Category::training, Category::loss> auto &) const {
    return std::nullopt;
  }
  Field operator()(const Call &) const { return std::nullopt; }
  Field operator()(const OfCategory<Category::constant> auto &) const { return std::nullopt; }

private:
  const Field &operand(size_t index) const { return fields_[node_.operands[index]]; }
  const std::vector<int64_t> &input_shape() const { return graph_.type(node_.operands[0]).shape; }

  /// Dimensions `first` and the next of a value: a kernel's size.
  std::array<int64_t, 2> spatial(ValueId id, size_t first) const {
    const std::vector<int64_t> &shape = graph_.type(id).shape;
    return {shape[first], shape[first + 1]};
  }

  /// Axes 2 and 3 of four dimensions are those of the image, as long as positions are regular.
  bool is_spatial(int64_t axis) const {
    size_t at = normalized_axis(axis, input_shape().size()).value_or(0);
    return input_shape().size() == 4 && at >= 2;
  }
  size_t spatial_index(int64_t axis) const { return *normalized_axis(axis, 4) - 2; }

  Field whole(std::array<bool, 2> axes) const {
    Field field = operand(0);
    for (size_t i = 0; field && i < 2; ++i)
      if (axes[i])
        (*field)[i] = whole_axis;
    return field;
  }

  /// Elements along these axes are mixed.
  Field mixed(const std::vector<int64_t> &axes) const {
    if (input_shape().size() != 4) // which positions are mixed is not known any more
      return whole({true, true});
    std::array<bool, 2> all = {};
    for (int64_t axis : axes)
      if (is_spatial(axis))
        all[spatial_index(axis)] = true;
    return whole(all);
  }

  /// The same sizes at positions that do not follow a stride.
  Field irregular(Field field) const {
    for (size_t i = 0; field && i < 2; ++i)
      if (!(*field)[i].whole)
        (*field)[i] = {(*field)[i].size, 0, 0};
    return field;
  }

  /// Position p of the result is position first + p * step of the operand.
  Field moved(Field field, size_t axis, int64_t first, int64_t step) const {
    AxisField &a = (*field)[axis];
    std::optional<int64_t> shift = checked_mul(first, a.stride);
    std::optional<int64_t> start = shift ? checked_add(a.start, *shift) : std::nullopt;
    std::optional<int64_t> stride = checked_mul(a.stride, step);
    if (!start || !stride)
      return std::nullopt;
    if (!a.whole)
      a = {a.size, *stride, a.stride == 0 ? 0 : *start};
    return field;
  }

  Field joined() const {
    Field result;
    for (size_t i = 0; i < node_.operands.size(); ++i)
      if (const Field &field = operand(i)) {
        if (!result)
          result = field;
        else
          result = ReceptiveField{join((*result)[0], (*field)[0]), join((*result)[1], (*field)[1])};
      }
    return result;
  }

  const Graph &graph_;
  const std::vector<Field> &fields_;
  const Node &node_;
  size_t result_;
};

} // namespace

std::vector<Field> receptive_fields(const Graph &graph) {
  std::vector<Field> fields(graph.values.size());
  if (!graph.inputs.empty() && graph.type(graph.inputs[0]).rank() == 4)
    fields[graph.inputs[0]] = ReceptiveField{};
  for (const Node &node : graph.nodes)
    for (size_t i = 0; i < node.results.size(); ++i)
      fields[node.results[i]] = match(node.op, Step(graph, fields, node, i));
  return fields;
}

} // namespace cnnc
