// Normalisations and softmax.
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

/// Statistics for each element of an image (spatial = 0, until opset 8).
bool batch_norm_of_positions(OnnxNode &node, double epsilon) {
  ValueId spread = node.emit("sqrt", {node.emit("add", {node.operand(4), node.splat(epsilon)})});
  ValueId factor = node.emit("div", {node.operand(1), spread});
  ValueId centered = node.emit("sub", {node.operand(0), node.operand(3)});
  ValueId scaled = node.emit("mul", {centered, factor});
  return node.result(node.emit("add", {scaled, node.operand(2)}));
}

bool import_batch_norm(OnnxNode &node) {
  if (!node.require_inputs(5, 5))
    return false;
  double epsilon = node.number("epsilon", 1e-5);
  node.number("momentum", 0.9);
  node.ignore("consumed_inputs");
  if (node.opset() < 7)
    node.integer("is_test", 0);
  if (node.integer("training_mode", 0) != 0)
    return node.fail("training is not supported, only inference (training_mode = 0)");
  for (size_t i = 1; i < node.output_count(); ++i)
    if (node.wants(i))
      return node.fail("only its first output is supported: the others are of training");
  // Old files say so by outputs, also by accident: nobody reads them here.
  if (node.opset() >= 7 && node.opset() < 14 && node.has_output(1))
    node.importer().remark("BatchNormalization is of training, with the mean and variance of its "
                           "input, but is compiled for inference, with those of the file");
  if (node.integer("spatial", 1) == 0)
    return batch_norm_of_positions(node, epsilon);
  std::vector<ValueId> operands;
  for (size_t i = 0; i < 5; ++i)
    operands.push_back(node.operand(i));
  return node.result(node.emit("batch_norm", operands, {{"epsilon", epsilon}}));
}

/// Along one axis since opset 13; before over all dimensions from `axis` on.
bool import_softmax(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::string_view op = node.op() == "Softmax"   ? "softmax"
                        : node.op() == "Hardmax" ? "hardmax"
                                                 : "log_softmax";
  // QLinearSoftmax of ONNX Runtime says which version it means.
  const bool of_axis = node.integer("opset", node.opset()) >= 13;
  int64_t given = node.integer("axis", of_axis ? -1 : 1);
  std::optional<size_t> axis = read_axis(node, given, node.rank(0));
  if (!axis)
    return false;
  ValueId input = node.operand(0);
  const std::vector<int64_t> shape = node.shape(0);
  if (of_axis || *axis + 1 == shape.size())
    return node.result(node.emit(op, {input}, {{"axis", static_cast<int64_t>(*axis)}}));
  std::optional<int64_t> rest = product(node, shape, *axis, shape.size());
  if (!rest)
    return false;
  std::vector<int64_t> flat(shape.begin(), shape.begin() + static_cast<ptrdiff_t>(*axis));
  flat.push_back(*rest);
  ValueId result = node.emit(op, {reshaped(node, input, flat)}, {{"axis", int64_t(-1)}});
  return node.result(reshaped(node, result, shape));
}

std::vector<int64_t> axes_from(int64_t first, size_t rank) {
  std::vector<int64_t> axes;
  for (int64_t axis = first; axis < static_cast<int64_t>(rank); ++axis)
    axes.push_back(axis);
  return axes;
}

/// 1 / sqrt(mean(x^2) + epsilon)
ValueId inverse_deviation(OnnxNode &node, ValueId x, const Attributes &mean, double epsilon) {
  ValueId variance = node.emit("reduce_mean", {node.emit("mul", {x, x})}, mean);
  ValueId deviation = node.emit("sqrt", {node.emit("add", {variance, node.splat(epsilon)})});
  return node.emit("reciprocal", {deviation});
}

bool import_instance_norm(OnnxNode &node) {
  if (!node.require_inputs(3, 3))
    return false;
  node.ignore("consumed_inputs");
  return node.result(node.emit("instance_norm", {node.operand(0), node.operand(1), node.operand(2)},
                               {{"epsilon", node.number("epsilon", 1e-5)}}));
}

/// The statistics that LayerNormalization gives beside its result: the mean and 1 / sqrt(variance +
/// epsilon) over the dimensions from `axis` on.
bool layer_statistics(OnnxNode &node, int64_t axis, double epsilon) {
  if (!node.wants(1) && !node.wants(2))
    return true;
  Attributes attributes = {{"axes", axes_from(axis, node.rank(0))}, {"keep_dims", true}};
  ValueId mean = node.emit("reduce_mean", {node.operand(0)}, attributes);
  if (!node.result(mean, 1) || !node.wants(2))
    return mean != no_id;
  ValueId centered = node.emit("sub", {node.operand(0), mean});
  return node.result(inverse_deviation(node, centered, attributes, epsilon), 2);
}

/// The attributes of norms over the dimensions from an axis on.
struct LineNorm {
  int64_t axis;
  double epsilon;
};

std::optional<LineNorm> read_line_norm(OnnxNode &node) {
  double epsilon = node.number("epsilon", 1e-5);
  node.integer("stash_type", 1);
  std::optional<size_t> axis = read_axis(node, node.integer("axis", -1), node.rank(0));
  return axis ? std::optional(LineNorm{static_cast<int64_t>(*axis), epsilon}) : std::nullopt;
}

bool import_layer_norm(OnnxNode &node) {
  std::optional<LineNorm> norm = node.require_inputs(2, 3) ? read_line_norm(node) : std::nullopt;
  if (!norm)
    return false;
  std::vector<ValueId> operands = {node.operand(0), node.operand(1)};
  if (node.has(2))
    operands.push_back(node.operand(2));
  auto [axis, epsilon] = *norm;
  return node.result(node.emit("layer_norm", operands, {{"axis", axis}, {"epsilon", epsilon}})) &&
         layer_statistics(node, axis, epsilon);
}

/// x / sqrt(mean(x^2) + epsilon) * scale over the dimensions from `axis` on.
bool import_rms_norm(OnnxNode &node) {
  std::optional<LineNorm> norm = node.require_inputs(2, 2) ? read_line_norm(node) : std::nullopt;
  if (!norm)
    return false;
  ValueId input = node.operand(0);
  Attributes attributes = {{"axes", axes_from(norm->axis, node.rank(0))}, {"keep_dims", true}};
  ValueId factor = inverse_deviation(node, input, attributes, norm->epsilon);
  return node.result(node.emit("mul", {node.emit("mul", {input, factor}), node.operand(1)}));
}

/// Scale and bias of each channel; until opset 20 of each group.
bool import_group_norm(OnnxNode &node) {
  if (!node.require_inputs(3, 3))
    return false;
  double epsilon = node.number("epsilon", 1e-5);
  int64_t groups = node.integer("num_groups", 0);
  node.integer("stash_type", 1);
  if (node.rank(0) < 2 || groups < 1 || node.shape(0)[1] % groups != 0)
    return node.fail(
        fmt::format("{} groups do not divide the channels of {}", groups, to_string(node.type(0))));
  std::vector<ValueId> operands = {node.operand(0)};
  int64_t channels = node.shape(0)[1], per_group = channels / groups;
  const bool of_groups = node.opset() < 21;
  for (size_t i = 1; i <= 2; ++i) {
    ValueId value = node.operand(i);
    if (int64_t wanted = of_groups ? groups : channels; node.shape(i) != std::vector{wanted})
      return node.fail(fmt::format("its {} is {}, but opset {} has one number for each {}, [{}]{}",
                                   i == 1 ? "scale" : "bias", to_string(node.type(i)), node.opset(),
                                   of_groups ? "group" : "channel", wanted,
                                   of_groups ? ": those of channels need opset 21" : ""));
    if (of_groups && per_group > 1) {
      value = reshaped(node, value, {groups, 1});
      value = node.emit("expand", {value}, {{"shape", std::vector<int64_t>{groups, per_group}}});
      value = reshaped(node, value, {channels});
    }
    operands.push_back(value);
  }
  return node.result(node.emit("group_norm", operands, {{"groups", groups}, {"epsilon", epsilon}}));
}

bool import_lrn(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  return node.result(node.emit("lrn", {node.operand(0)},
                               {{"size", node.integer("size", 0)},
                                {"alpha", node.number("alpha", 0.0001)},
                                {"beta", node.number("beta", 0.75)},
                                {"bias", node.number("bias", 1)}}));
}

/// (x - mean) / deviation over the axes.
bool import_mean_variance(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::optional<std::vector<int64_t>> axes =
      read_axes(node, node.integers("axes").value_or(std::vector<int64_t>{0, 2, 3}), node.rank(0));
  if (!axes)
    return false;
  constexpr double epsilon = 1e-9; // of ONNX's definition
  Attributes mean = {{"axes", *axes}, {"keep_dims", true}};
  ValueId input = node.operand(0);
  ValueId centered = node.emit("sub", {input, node.emit("reduce_mean", {input}, mean)});
  ValueId variance = node.emit("reduce_mean", {node.emit("mul", {centered, centered})}, mean);
  ValueId deviation = node.emit("sqrt", {variance});
  return node.result(
      node.emit("div", {centered, node.emit("add", {deviation, node.splat(epsilon)})}));
}

/// x divided by its norm along an axis.
bool import_lp_normalization(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  int64_t p = node.integer("p", 2);
  std::optional<size_t> axis = read_axis(node, node.integer("axis", -1), node.rank(0));
  if (!axis)
    return false;
  if (p != 1 && p != 2)
    return node.fail(fmt::format("p = {} is not supported, only 1 and 2", p));
  ValueId input = node.operand(0);
  ValueId terms = p == 1 ? node.emit("abs", {input}) : node.emit("mul", {input, input});
  ValueId norm =
      node.emit("reduce_sum", {terms},
                {{"axes", std::vector<int64_t>{static_cast<int64_t>(*axis)}}, {"keep_dims", true}});
  if (p == 2)
    norm = node.emit("sqrt", {norm});
  // Zeros stay: their norm is 0.
  ValueId is_zero = node.emit("equal", {norm, node.splat(0)});
  norm = node.emit("where", {is_zero, node.splat(1), norm});
  return node.result(node.emit("div", {input, norm}));
}

constexpr ImportRow rows[] = {{"InstanceNormalization", import_instance_norm},
                              {"LayerNormalization", import_layer_norm},
                              {"RMSNormalization", import_rms_norm},
                              {"GroupNormalization", import_group_norm},
                              {"LRN", import_lrn},
                              {"MeanVarianceNormalization", import_mean_variance},
                              {"LpNormalization", import_lp_normalization},
                              {"BatchNormalization", import_batch_norm},
                              {"Softmax", import_softmax},
                              {"LogSoftmax", import_softmax},
                              {"Hardmax", import_softmax}};

} // namespace

std::span<const ImportRow> normalization_imports() { return rows; }

} // namespace cnnc
