// Ops that change shapes and nothing else.
#include "compiler/onnx/import/fold.h"
#include "compiler/onnx/import/ops.h"
#include "compiler/onnx/import/reshape.h"
#include "compiler/tensor/tensor.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>

namespace cnnc {

namespace {

/// The input under another shape.
bool reshape_result(OnnxNode &node, std::vector<int64_t> shape) {
  if (shape == node.shape(0))
    return node.pass_through(0);
  if (node.foldable()) {
    FixedTensor result = *node.fixed(0);
    result.shape = std::move(shape);
    return node.result(std::move(result));
  }
  return node.result(reshaped(node, node.operand(0), std::move(shape)));
}

/// The dimensions that Reshape is given: as an attribute until opset 4, which cannot say a batch.
std::optional<std::vector<int64_t>> wanted_shape(OnnxNode &node) {
  if (node.opset() < 5) {
    std::optional<std::vector<int64_t>> shape = node.integers("shape");
    if (!shape)
      node.fail("it has no 'shape'");
    return shape;
  }
  return node.known_shape(1, "the shape");
}

std::string misfit(OnnxNode &node, const std::vector<int64_t> &shape) {
  std::vector<std::string> dims;
  for (int64_t dim : shape)
    dims.push_back(dim == batch_marker ? "batch" : std::to_string(dim));
  return fmt::format("{} cannot have the shape [{}]", to_string(node.type(0)),
                     fmt::join(dims, ", "));
}

/// Elements of one image.
int64_t per_image(const std::vector<int64_t> &shape) { return element_count(shape).value_or(0); }

/// Fills in what 0, -1 and the batch stand for; empty when they do not fit.
std::optional<std::vector<int64_t>> resolved(OnnxNode &node, std::vector<int64_t> shape,
                                             bool zero_is_zero) {
  const std::vector<int64_t> &input = node.shape(0);
  bool symbolic = node.type(0).has_symbolic_batch();
  int64_t known = 1, unknown = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !zero_is_zero) {
      if (i >= input.size())
        return std::nullopt;
      shape[i] = input[i] == symbolic_dim ? batch_marker : input[i];
    }
    if (shape[i] == batch_marker) {
      if (!symbolic || i != 0)
        return std::nullopt;
    } else if (shape[i] == -1 && unknown < 0) {
      unknown = static_cast<int64_t>(i);
    } else if (shape[i] < 0 || shape[i] > largest_dim ||
               __builtin_mul_overflow(known, shape[i], &known)) {
      return std::nullopt;
    }
  }
  bool has_batch = !shape.empty() && shape[0] == batch_marker;
  if (symbolic && !has_batch) { // the -1 is the batch when the rest is one image
    if (unknown != 0 || known != per_image(input))
      return std::nullopt;
    shape[0] = batch_marker;
  } else if (unknown >= 0) {
    if (known == 0 || per_image(input) % known != 0)
      return std::nullopt;
    shape[static_cast<size_t>(unknown)] = per_image(input) / known;
  } else if (known != per_image(input)) {
    return std::nullopt;
  }
  std::replace(shape.begin(), shape.end(), batch_marker, symbolic_dim);
  return shape;
}

bool import_reshape(OnnxNode &node) {
  if (!node.require_inputs(node.opset() < 5 ? 1 : 2, 2))
    return false;
  node.ignore("consumed_inputs");
  bool zero_is_zero = node.integer("allowzero", 0) != 0;
  std::optional<std::vector<int64_t>> shape = wanted_shape(node);
  if (!shape)
    return false;
  std::optional<std::vector<int64_t>> dims = resolved(node, *shape, zero_is_zero);
  if (!dims && node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("{} while its batch is symbolic: {}", misfit(node, *shape),
                                 node.importer().advice_to_fix_batch()));
  if (!dims)
    return node.fail(misfit(node, *shape));
  return reshape_result(node, *dims);
}

bool import_flatten(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  int64_t axis = node.integer("axis", 1), rank = static_cast<int64_t>(node.rank(0));
  if (axis < -rank || axis > rank)
    return node.fail(fmt::format("the axis {} is not in {}..{}", axis, -rank, rank));
  auto split = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  std::optional<int64_t> before = product(node, node.shape(0), 0, split);
  std::optional<int64_t> after = product(node, node.shape(0), split, node.rank(0));
  return before && after && reshape_result(node, {*before, *after});
}

/// Axes as an attribute until opset 12, then as an input.
std::optional<std::optional<std::vector<int64_t>>> axes_of(OnnxNode &node) {
  if (node.opset() < 13)
    return node.integers("axes");
  if (!node.has(1))
    return std::optional<std::vector<int64_t>>();
  std::optional<std::vector<int64_t>> axes = node.known_integers(1, "the axes");
  return axes ? std::optional(axes) : std::nullopt;
}

bool import_squeeze(OnnxNode &node) {
  std::optional<std::optional<std::vector<int64_t>>> given = axes_of(node);
  if (!given || !node.require_inputs(1, 2))
    return false;
  std::vector<int64_t> shape = node.shape(0), kept;
  std::vector<bool> squeezed(shape.size(), false);
  if (*given) {
    std::optional<std::vector<int64_t>> axes = read_axes(node, **given, shape.size());
    if (!axes)
      return false;
    for (int64_t axis : *axes) {
      if (shape[static_cast<size_t>(axis)] != 1)
        return node.fail(fmt::format("dimension {} of {} is not 1", axis, to_string(node.type(0))));
      squeezed[static_cast<size_t>(axis)] = true;
    }
  } else {
    for (size_t i = 0; i < shape.size(); ++i)
      squeezed[i] = shape[i] == 1;
  }
  for (size_t i = 0; i < shape.size(); ++i)
    if (!squeezed[i])
      kept.push_back(shape[i]);
  return reshape_result(node, kept);
}

bool import_unsqueeze(OnnxNode &node) {
  std::optional<std::optional<std::vector<int64_t>>> given = axes_of(node);
  if (!given || !node.require_inputs(1, 2))
    return false;
  if (!*given)
    return node.fail("it has no 'axes'");
  std::vector<int64_t> shape = node.shape(0);
  std::optional<std::vector<int64_t>> axes =
      read_axes(node, **given, shape.size() + (*given)->size());
  if (!axes)
    return false;
  for (int64_t axis : *axes) // sorted: each at its place in the result
    shape.insert(shape.begin() + axis, 1);
  if (shape.size() > 1 && shape[0] != symbolic_dim && node.type(0).has_symbolic_batch())
    return node.fail(fmt::format("the symbolic batch would not stay the first dimension: {}",
                                 node.importer().advice_to_fix_batch()));
  return reshape_result(node, shape);
}

bool import_transpose(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  std::vector<int64_t> reversed(node.rank(0));
  std::iota(reversed.rbegin(), reversed.rend(), int64_t(0));
  std::vector<int64_t> permutation = node.integers("perm").value_or(reversed);
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::reverse(reversed.begin(), reversed.end());
  if (sorted != reversed)
    return node.fail(fmt::format("'perm' [{}] is no permutation of the {} dimensions",
                                 fmt::join(permutation, ", "), node.rank(0)));
  if (node.type(0).has_symbolic_batch() && permutation[0] != 0)
    return node.fail(
        fmt::format("it moves the symbolic batch: {}", node.importer().advice_to_fix_batch()));
  if (!node.foldable())
    return node.result(transposed(node, node.operand(0), permutation));
  std::vector<int64_t> strides = row_major_strides(node.shape(0)), shape, step;
  for (int64_t axis : permutation) {
    shape.push_back(node.shape(0)[static_cast<size_t>(axis)]);
    step.push_back(strides[static_cast<size_t>(axis)]);
  }
  return node.result(picked(*node.fixed(0), shape, strided_positions(shape, step)));
}

/// Blocks of pixels from channels, and back.
bool import_depth_to_space(OnnxNode &node) {
  if (!node.require_inputs(1, 1))
    return false;
  int64_t block = node.integer("blocksize", 0);
  if (block < 1)
    return node.fail("'blocksize' must be at least 1");
  if (node.op() == "SpaceToDepth")
    return node.result(node.emit("space_to_depth", {node.operand(0)},
                                 {{"block", std::vector<int64_t>{block, block}}}));
  std::string mode = node.word("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return node.fail(fmt::format("the mode '{}' is neither DCR nor CRD", printable(mode)));
  return node.result(node.emit("depth_to_space", {node.operand(0)},
                               {{"block", std::vector<int64_t>{block, block}},
                                {"mode", Word{mode == "DCR" ? "dcr" : "crd"}}}));
}

/// With a ratio of 0 there is no difference between training and inference.
bool drops_nothing(OnnxNode &node) {
  const FixedTensor *ratio = node.has(1) ? node.fixed(1) : nullptr;
  return ratio && ratio->count() == 1 && ratio->number(0) == 0;
}

/// Identity, and Dropout at inference.
bool import_identity(OnnxNode &node) {
  if (!node.require_inputs(1, 3))
    return false;
  for (std::string_view name : {"ratio", "seed", "is_test", "consumed_inputs"})
    node.ignore(name);
  if (node.has(2) && !drops_nothing(node)) {
    const FixedTensor *training = node.known(2, "training_mode");
    if (!training || training->count() != 1 || training->number(0) != 0)
      return training && node.fail("only inference is supported: training_mode must be false");
  }
  if (node.wants(1)) { // the mask: everything is kept
    const std::vector<int64_t> &shape = node.shape(0);
    if (node.type(0).has_symbolic_batch())
      return node.fail("its mask is not supported while the batch is symbolic");
    if (!node.result(node.splat(1, shape, DType::boolean), 1))
      return false;
  }
  return node.pass_through(0);
}

constexpr ImportRow rows[] = {{"DepthToSpace", import_depth_to_space},
                              {"SpaceToDepth", import_depth_to_space},
                              {"Reshape", import_reshape},
                              {"Flatten", import_flatten},
                              {"Squeeze", import_squeeze},
                              {"Unsqueeze", import_unsqueeze},
                              {"Transpose", import_transpose},
                              {"Identity", import_identity},
                              {"Dropout", import_identity}};

} // namespace

std::span<const ImportRow> shape_imports() { return rows; }

} // namespace cnnc
