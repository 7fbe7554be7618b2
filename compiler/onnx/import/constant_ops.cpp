// Constant, and what depends on shapes alone: Shape, Size.
#include "compiler/onnx/import/ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

FixedTensor floats(std::vector<float> values, bool scalar) {
  FixedTensor result{DType::f32, {}, std::move(values)};
  if (!scalar)
    result.shape = {static_cast<int64_t>(result.count())};
  return result;
}

bool import_constant(OnnxNode &node) {
  if (const onnx::TensorProto *tensor = node.tensor("value"))
    return node.result(node.importer().constant(*tensor, node.range()));
  if (node.has_attribute("value_int"))
    return node.result(FixedTensor::scalar(node.integer("value_int", 0)));
  if (std::optional<std::vector<int64_t>> list = node.integers("value_ints"))
    return node.result(FixedTensor::integers(std::move(*list)));
  if (node.has_attribute("value_float"))
    return node.result(floats({static_cast<float>(node.number("value_float", 0))}, true));
  if (std::optional<std::vector<double>> list = node.numbers("value_floats"))
    return node.result(floats({list->begin(), list->end()}, false));
  if (node.has_wrong_attribute())
    return false;
  return node.fail("only constants given as value, value_int, value_ints, value_float and "
                   "value_floats are supported; no strings and no sparse tensors");
}

/// The dimensions of a value as integers; a symbolic batch as its marker.
bool import_shape(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::vector<int64_t> shape = node.shape(0);
  std::replace(shape.begin(), shape.end(), symbolic_dim, batch_marker);
  auto rank = static_cast<int64_t>(shape.size());
  auto bound = [&](std::string_view name, int64_t default_value) {
    int64_t index = node.integer(name, default_value);
    return std::clamp<int64_t>(index < 0 ? index + rank : index, 0, rank);
  };
  int64_t start = bound("start", 0), end = std::max(start, bound("end", rank));
  return node.result(FixedTensor::integers({shape.begin() + start, shape.begin() + end}));
}

bool import_size(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  if (node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("the number of elements depends on the size of the batch: {}",
                                 node.importer().advice_to_fix_batch()));
  return node.result(FixedTensor::scalar(element_count(node.shape(0)).value_or(0)));
}

constexpr ImportRow rows[] = {
    {"Constant", import_constant}, {"Shape", import_shape}, {"Size", import_size}};

} // namespace

std::span<const ImportRow> constant_imports() { return rows; }

} // namespace cnnc
