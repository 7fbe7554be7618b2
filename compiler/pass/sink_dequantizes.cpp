#include "compiler/pass/sink_dequantizes.h"

#include "compiler/pass/quantized_graph.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

class Sinking : QuantizedGraph {
public:
  explicit Sinking(Graph &graph) : QuantizedGraph(graph) {}

  /// An op behind a dequantize becomes one before it.
  bool sink(NodeId id) {
    Node &node = graph_.nodes[id];
    if (node.kernel == no_id && std::holds_alternative<Split>(node.op))
      return cut_numbers(id);
    if (node.kernel != no_id || node.results.size() != 1 || graph_.is_constant(node.results[0]))
      return false;
    if (std::holds_alternative<Quantize>(node.op))
      return drop_pair(id) || split_concat(id);
    if (!takes_numbers(node.op))
      return average(id);
    const ValueId x = node.operands[0];
    const Dequantize *dequantize = plain_dequantize(x);
    if (!dequantize)
      return false;
    const Dequantize op = *dequantize;
    Op on_numbers = node.op;
    if (auto *pad = std::get_if<Pad>(&on_numbers); pad && !pad_with_number(*pad, op, operand_of(x)))
      return false;
    std::vector<ValueId> operands = node.operands;
    operands[0] = operand_of(x);
    const ValueId numbers =
        add(std::move(on_numbers), std::move(operands), name(node.results[0]) + ".q");
    graph_.redefine(id, op, {numbers});
    return true;
  }

private:
  /// Of a split every part is dequantized.
  bool cut_numbers(NodeId id) {
    const Node node = graph_.nodes[id]; // a copy: nodes are added
    const Dequantize *dequantize = plain_dequantize(node.operands[0]);
    if (!dequantize || graph_.is_constant(node.results[0]))
      return false;
    const Dequantize op = *dequantize;
    const ValueId numbers = operand_of(node.operands[0]);
    std::vector<ValueId> parts;
    for (ValueId result : node.results) {
      TensorType part = type(result);
      part.dtype = type(numbers).dtype;
      parts.push_back(graph_.add_value(graph_.unique_value_name(name(result) + ".q"), part));
      graph_.value(parts.back()).producer = id;
      graph_.append({op, {parts.back()}, {result}});
    }
    graph_.nodes[id].results = std::move(parts);
    graph_.redefine(id, node.op, {numbers});
    return true;
  }

  /// Ops that give elements of their first operand alone.
  static bool takes_numbers(const Op &op) {
    const auto *resize = std::get_if<Resize2d>(&op);
    return is_one_of<MaxPool2d, Reshape, Flatten, Transpose, DepthToSpace, SpaceToDepth, Slice, Pad,
                     Gather>(op) ||
           (resize && resize->mode == ResizeMode::nearest && !crops(*resize));
  }
  static bool crops(const Resize2d &op) {
    return op.coordinates == ResizeCoordinates::tf_crop_and_resize;
  }

  /// Makes the number of what a pad adds; false where none stands for it.
  bool pad_with_number(Pad &pad, const Dequantize &op, ValueId numbers) const {
    if (pad.mode != PadMode::constant)
      return true;
    const auto scale = static_cast<float>(op.scale), value = static_cast<float>(pad.value);
    const double number = std::nearbyint(static_cast<double>(value / scale));
    pad.value = number + static_cast<double>(op.zero_point);
    const DType dtype = type(numbers).dtype;
    return static_cast<float>(number) * scale == value &&
           pad.value >= static_cast<double>(least_of(dtype)) &&
           pad.value <= static_cast<double>(largest_of(dtype));
  }

  /// quantize(dequantize(x)) with equal scales and zero points is x.
  bool drop_pair(NodeId id) {
    const Node &node = graph_.nodes[id];
    const auto &quantize = std::get<Quantize>(node.op);
    const Dequantize *dequantize = is_plain(node) ? plain_dequantize(node.operands[0]) : nullptr;
    if (!dequantize ||
        static_cast<float>(dequantize->scale) != static_cast<float>(quantize.scale) ||
        dequantize->zero_point != quantize.zero_point ||
        type(operand_of(node.operands[0])).dtype != quantize.dtype())
      return false;
    return replace_value(graph_, node.results[0], operand_of(node.operands[0]));
  }

  /// A concat that is quantised becomes one of numbers that are.
  bool split_concat(NodeId id) {
    const Node &node = graph_.nodes[id];
    const auto *concat = made_by<Concat>(node.operands[0]);
    if (!concat || !is_plain(node) || single_user(graph_, node.operands[0]) != id)
      return false;
    const std::vector<ValueId> parts = producer_of(graph_, node.operands[0])->operands;
    if (!std::ranges::all_of(parts, [&](ValueId part) { return plain_dequantize(part); }))
      return false;
    const Op op = node.op, joined = *concat;
    std::vector<ValueId> numbers;
    for (ValueId part : parts)
      numbers.push_back(add(op, {part}, name(part) + ".q"));
    graph_.redefine(id, joined, std::move(numbers));
    return true;
  }

  /// Ops whose result for x - zero_point is that for x, less the zero point: sums of elements by
  /// weights that add up to 1.
  static bool is_mean(const Op &op) {
    if (const auto *pool = std::get_if<AvgPool2d>(&op))
      return !pool->count_padding || pool->pad == std::array<int64_t, 4>{};
    const auto *resize = std::get_if<Resize2d>(&op);
    return std::holds_alternative<GlobalAvgPool2d>(op) ||
           (resize && !resize->antialias && !resize->exclude_outside && !crops(*resize));
  }

  /// A mean of numbers, whose zero point and scale come behind it.
  bool average(NodeId id) {
    const Node &node = graph_.nodes[id];
    if (!is_mean(node.op))
      return false;
    const Dequantize *dequantize = plain_dequantize(node.operands[0]);
    if (!dequantize)
      return false;
    const Dequantize op = *dequantize;
    const std::string base = name(node.results[0]);
    const TensorType number = {DType::f32, {}, "", {}};
    ValueId mean = add(node.op, {operand_of(node.operands[0])}, base + ".mean");
    if (op.zero_point != 0)
      mean = add(Binary{binary::sub},
                 {mean, splat(static_cast<double>(op.zero_point), number, base + ".zero_point")},
                 base + ".centred");
    graph_.redefine(id, Binary{binary::mul}, {mean, splat(op.scale, number, base + ".scale")});
    return true;
  }
};

} // namespace

void sink_dequantizes(Graph &graph) {
  Sinking sinking(graph);
  rewrite_until_unchanged(graph, [&](NodeId id) { return sinking.sink(id); });
}

} // namespace cnnc
