#include "ir/graph/ops/shape.h"

#include "ir/graph/ops/checks.h"
#include "ir/graph/ops/elementwise.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// Reports at operand `index` unless it can be joined to operand 0 along `axis`.
bool joins(InferContext &context, size_t index, size_t axis) {
  const TensorType &first = context.operand(0), &other = context.operand(index);
  bool fit = first.dtype == other.dtype && first.rank() == other.rank();
  for (size_t i = 0; fit && i < first.rank(); ++i)
    fit = i == axis || first.shape[i] == other.shape[i];
  if (!fit)
    context.error_at_operand(index, fmt::format("{} cannot be joined to {} along dimension {}: "
                                                "the type and the other dimensions must agree",
                                                to_string(other), to_string(first), axis));
  return fit;
}

} // namespace

InferredTypes Concat::infer(InferContext &context) const {
  if (context.operand_count() == 0)
    return context.error("there is nothing to join");
  std::optional<size_t> at = require_axis(context, "axis", axis);
  if (!at || !require_not_batch(context, "axis", *at, "joined"))
    return std::nullopt;
  std::vector<int64_t> shape = context.shape(0);
  bool ok = true;
  for (size_t i = 1; i < context.operand_count(); ++i) {
    if (!joins(context, i, *at) || (*at == 0 && !require_static(context, i, "this operand"))) {
      ok = false;
      continue;
    }
    std::optional<int64_t> sum = checked_add(shape[*at], context.shape(i)[*at]);
    if (!sum)
      return context.error(fmt::format("the size of dimension {} overflows", *at));
    shape[*at] = *sum;
  }
  if (!ok)
    return std::nullopt;
  return one_result(context, context.operand(0), std::move(shape));
}

InferredTypes Split::infer(InferContext &context) const {
  std::optional<size_t> at = require_axis(context, "axis", axis);
  if (!at || !require_not_batch(context, "axis", *at, "cut"))
    return std::nullopt;
  if (sizes.empty())
    return context.error_at_attribute("sizes", "'sizes' lists no size");
  int64_t dim = context.shape(0)[*at], sum = 0;
  int64_t least = std::min<int64_t>(dim, 1); // only nothing is cut into parts without elements
  std::vector<TensorType> results;
  for (int64_t size : sizes) {
    if (size < least || size > dim)
      return context.error_at_attribute(
          "sizes", fmt::format("a size of {} is not between {} and {}, dimension {} of {}", size,
                               least, dim, *at, to_string(context.operand(0))));
    sum = checked_add(sum, size).value_or(sum);
    results.push_back(context.operand(0));
    results.back().layout = {};
    results.back().shape[*at] = size;
  }
  if (sum != dim)
    return context.error_at_attribute(
        "sizes", fmt::format("the sizes add up to {}, but dimension {} of {} is {}", sum, *at,
                             to_string(context.operand(0)), dim));
  return results;
}

std::vector<Slice::Range> Slice::ranges(const std::vector<int64_t> &shape) const {
  std::vector<Range> result;
  for (int64_t dim : shape)
    result.push_back({0, dim, 1});
  for (size_t i = 0; i < starts.size(); ++i) {
    size_t at = axes.empty() ? i : *normalized_axis(axes[i], shape.size());
    int64_t dim = shape[at], step = steps.empty() ? 1 : steps[i];
    // A position may lie one before the first element when walking down, one behind the last when
    // up.
    int64_t least = step < 0 ? -1 : 0, most = step < 0 ? dim - 1 : dim;
    auto position = [&](int64_t p) { return std::clamp(p < 0 ? p + dim : p, least, most); };
    int64_t start = position(starts[i]), end = position(ends[i]);
    int64_t span = step < 0 ? start - end : end - start, stride = step < 0 ? -step : step;
    result[at] = {start, span <= 0 ? 0 : (span + stride - 1) / stride, step};
  }
  return result;
}

namespace {

/// Reports unless all lists of a slice have the right lengths and name distinct axes.
bool check_slice(InferContext &context, const Slice &slice) {
  size_t count = slice.starts.size(), rank = context.operand(0).rank();
  auto fail = [&](std::string_view attribute, const std::string &message) {
    context.error_at_attribute(attribute, message);
    return false;
  };
  auto same_length = [&](std::string_view name, const std::vector<int64_t> &list) {
    return list.size() == count ||
           fail(name,
                fmt::format("'starts' has {} numbers, but '{}' has {}", count, name, list.size()));
  };
  if (!same_length("ends", slice.ends) ||
      (!slice.axes.empty() && !same_length("axes", slice.axes)) ||
      (!slice.steps.empty() && !same_length("steps", slice.steps)))
    return false;
  if (count > rank)
    return fail("starts", fmt::format("{} slices are given for the {} dimensions of {}", count,
                                      rank, to_string(context.operand(0))));
  std::vector<bool> seen(rank, false);
  std::string_view axis_source = slice.axes.empty() ? "starts" : "axes";
  for (size_t i = 0; i < count; ++i) {
    std::optional<size_t> at =
        slice.axes.empty() ? std::optional(i) : require_axis(context, "axes", slice.axes[i]);
    if (!at || !require_not_batch(context, axis_source, *at, "cut"))
      return false;
    if (seen[*at])
      return fail("axes", fmt::format("axis {} is given twice", slice.axes[i]));
    seen[*at] = true;
  }
  for (int64_t step : slice.steps)
    if (step == 0 || step > largest_dim || step < -largest_dim)
      return fail("steps", fmt::format("a step of {} is not possible", step));
  return true;
}

} // namespace

InferredTypes Slice::infer(InferContext &context) const {
  if (!check_slice(context, *this))
    return std::nullopt;
  std::vector<int64_t> shape;
  for (const Range &range : ranges(context.shape(0)))
    shape.push_back(range.count);
  return one_result(context, context.operand(0), std::move(shape));
}

InferredTypes Pad::infer(InferContext &context) const {
  const TensorType &input = context.operand(0);
  std::vector<int64_t> shape = input.shape;
  for (auto [attribute, list] : {std::pair{"before", &before}, std::pair{"after", &after}}) {
    if (list->size() != input.rank())
      return context.error_at_attribute(
          attribute,
          fmt::format("'{}' must have one number for each of the {} dimensions of {}, but has "
                      "{}",
                      attribute, input.rank(), to_string(input), list->size()));
    for (size_t i = 0; i < list->size(); ++i) {
      int64_t pad = (*list)[i];
      if (pad < 0 || pad > largest_dim)
        return context.error_at_attribute(
            attribute, fmt::format("a pad must be between 0 and {}, but '{}' has {}{}", largest_dim,
                                   attribute, pad, pad < 0 ? "; use slice to cut" : ""));
      if (pad != 0 && !require_not_batch(context, attribute, i, "padded"))
        return std::nullopt;
      if (mode == PadMode::reflect && pad > 0 && pad >= input.shape[i])
        return context.error_at_attribute(
            attribute,
            fmt::format("reflect needs pads smaller than the dimension: {} in dimension {} "
                        "of {}",
                        pad, i, to_string(input)));
      if (mode != PadMode::constant && pad > 0 && input.shape[i] == 0)
        return context.error_at_attribute(
            attribute,
            fmt::format("dimension {} of {} has no elements to repeat", i, to_string(input)));
      if (pad != 0)
        shape[i] += pad;
    }
  }
  if (mode == PadMode::constant && !fits(value, input.dtype))
    return context.error_at_attribute(
        "value", fmt::format("{} is not a value of the type {}", value, name_of(input.dtype)));
  return one_result(context, input, std::move(shape));
}

namespace {

/// Fills in the dimensions that `shape` keeps (0). Reports entries that are not possible.
bool resolve_kept(InferContext &context, std::vector<int64_t> &shape) {
  const TensorType &input = context.operand(0);
  auto fail = [&](const std::string &message) {
    context.error_at_attribute("shape", message);
    return false;
  };
  if (std::count(shape.begin(), shape.end(), -1) > 1)
    return fail("only one dimension can be -1");
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < -1 || shape[i] > largest_dim)
      return fail(fmt::format("{} is not a dimension", shape[i]));
    if (shape[i] != 0)
      continue;
    if (i >= input.rank())
      return fail(fmt::format("the 0 in dimension {} keeps nothing: {} has {} dimensions", i,
                              to_string(input), input.rank()));
    shape[i] = input.shape[i];
  }
  return true;
}

} // namespace

InferredTypes Reshape::infer(InferContext &context) const {
  const TensorType &input = context.operand(0);
  bool symbolic = input.has_symbolic_batch();
  std::vector<int64_t> result = shape;
  bool first_computed = !shape.empty() && shape[0] == -1;
  if (symbolic && (shape.empty() || (shape[0] != 0 && !first_computed)))
    return context.error_at_attribute(
        "shape", fmt::format("dimension 0 of {} is the symbolic batch: begin the new shape with 0 "
                             "to keep it",
                             to_string(input)));
  if (!resolve_kept(context, result))
    return std::nullopt;
  if (symbolic)
    result[0] = 1; // counts are those of one image from here on
  int64_t count = *element_count(input.shape), stated = 1;
  auto computed = std::find(result.begin(), result.end(), -1);
  for (int64_t dim : result) {
    std::optional<int64_t> product = checked_mul(stated, dim == -1 ? 1 : dim);
    if (!product)
      return context.error_at_attribute("shape", "the new shape has too many elements");
    stated = *product;
  }
  bool fit = computed == result.end() ? stated == count : count % stated == 0;
  if (!fit)
    return context.error_at_attribute(
        "shape", fmt::format("{} has {} elements{}, which do not make [{}]{}", to_string(input),
                             count, symbolic ? " an image" : "", fmt::join(shape, ", "),
                             computed == result.end() ? fmt::format(" with {}", stated)
                                                      : fmt::format(" in steps of {}", stated)));
  if (computed != result.end())
    *computed = count / stated;
  if (symbolic)
    result[0] = symbolic_dim;
  return one_result(context, input, std::move(result));
}

InferredTypes Flatten::infer(InferContext &context) const {
  const TensorType &input = context.operand(0);
  int64_t rank = static_cast<int64_t>(input.rank());
  int64_t at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at > rank)
    return context.error_at_attribute("axis", fmt::format("axis {} is not between 0 and {}, the "
                                                          "number of dimensions of {}",
                                                          axis, rank, to_string(input)));
  if (input.has_symbolic_batch() && at != 1)
    return context.error_at_attribute(
        "axis",
        fmt::format("dimension 0 of {} is the symbolic batch, which only axis=1 leaves alone",
                    to_string(input)));
  // The input has no more than 2^62 elements, hence its parts neither.
  std::vector<int64_t> first(input.shape.begin(), input.shape.begin() + at);
  std::vector<int64_t> rest(input.shape.begin() + at, input.shape.end());
  int64_t batch = input.has_symbolic_batch() ? symbolic_dim : *element_count(first);
  return one_result(context, input, {batch, *element_count(rest)});
}

InferredTypes Transpose::infer(InferContext &context) const {
  const TensorType &input = context.operand(0);
  std::vector<bool> seen(input.rank(), false);
  bool ok = permutation.size() == input.rank();
  std::vector<int64_t> shape;
  for (int64_t axis : permutation) {
    ok = ok && axis >= 0 && axis < static_cast<int64_t>(input.rank()) &&
         !seen[static_cast<size_t>(axis)];
    if (!ok)
      break;
    seen[static_cast<size_t>(axis)] = true;
    shape.push_back(input.shape[static_cast<size_t>(axis)]);
  }
  if (!ok)
    return context.error_at_attribute(
        "permutation", fmt::format("[{}] is not an order of the {} dimensions of {}",
                                   fmt::join(permutation, ", "), input.rank(), to_string(input)));
  if (input.has_symbolic_batch() && permutation[0] != 0)
    return context.error_at_attribute(
        "permutation", fmt::format("dimension 0 of {} is the symbolic batch, which cannot be moved",
                                   to_string(input)));
  return one_result(context, input, std::move(shape));
}

namespace {

/// Number of pixels of a block, or an error at the attribute.
std::optional<int64_t> require_block(InferContext &context, const std::array<int64_t, 2> &block) {
  constexpr int64_t largest_block = int64_t(1) << 24;
  for (int64_t size : block)
    if (size < 1 || size > largest_block)
      return context.error_at_attribute(
          "block", fmt::format("a block of {} x {} pixels is not possible", block[0], block[1]));
  return block[0] * block[1];
}

} // namespace

InferredTypes DepthToSpace::infer(InferContext &context) const {
  if (!context.require_rank(0, 4, "[n, c, h, w]"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0);
  std::optional<int64_t> area = require_block(context, block);
  if (!area)
    return std::nullopt;
  if (input[1] % *area != 0)
    return context.error_at_attribute(
        "block", fmt::format("the {} channels of {} do not make blocks of {} x {} pixels", input[1],
                             to_string(context.operand(0)), block[0], block[1]));
  std::vector<int64_t> shape = {input[0], input[1] / *area};
  for (size_t i = 0; i < 2; ++i) {
    int64_t size = checked_mul(input[2 + i], block[i]).value_or(largest_dim + 1);
    if (crop[i] < 0 || crop[2 + i] < 0 || crop[i] >= size || crop[2 + i] >= size - crop[i])
      return context.error_at_attribute("crop", fmt::format("{} and {} cannot be cut off {} {}",
                                                            crop[i], crop[2 + i], size,
                                                            i == 0 ? "rows" : "columns"));
    shape.push_back(size - crop[i] - crop[2 + i]);
  }
  return one_result(context, context.operand(0), std::move(shape));
}

InferredTypes SpaceToDepth::infer(InferContext &context) const {
  if (!context.require_rank(0, 4, "[n, c, h, w]"))
    return std::nullopt;
  const std::vector<int64_t> &input = context.shape(0);
  std::optional<int64_t> area = require_block(context, block);
  if (!area)
    return std::nullopt;
  if (input[2] % block[0] != 0 || input[3] % block[1] != 0)
    return context.error_at_attribute(
        "block", fmt::format("the planes of {} cannot be cut into blocks of {} x {} pixels",
                             to_string(context.operand(0)), block[0], block[1]));
  int64_t channels = checked_mul(input[1], *area).value_or(largest_dim + 1);
  return one_result(context, context.operand(0),
                    {input[0], channels, input[2] / block[0], input[3] / block[1]});
}

InferredTypes Gather::infer(InferContext &context) const {
  const TensorType &input = context.operand(0), &indices = context.operand(1);
  std::optional<size_t> at = require_axis(context, "axis", axis);
  if (!at || !require_not_batch(context, "axis", *at, "gathered"))
    return std::nullopt;
  if (indices.dtype != DType::i32 && indices.dtype != DType::i64)
    return context.error_at_operand(
        1, fmt::format("indices are i32 or i64, but these are {}", to_string(indices)));
  if (*at > 0 && !require_static(context, 1, "the indices"))
    return std::nullopt;
  const int64_t size = input.shape[*at];
  for (double index : context.listed(1))
    if (index < -static_cast<double>(size) || index >= static_cast<double>(size))
      return context.error_at_operand(1,
                                      fmt::format("the index {} is outside of dimension {} of {}",
                                                  index, *at, to_string(input)));
  std::vector<int64_t> shape = input.shape;
  auto place = shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(*at));
  shape.insert(place, indices.shape.begin(), indices.shape.end());
  TensorType like = input;
  if (indices.has_symbolic_batch())
    like.batch_name = indices.batch_name;
  return one_result(context, like, std::move(shape));
}

InferredTypes Expand::infer(InferContext &context) const {
  for (int64_t dim : shape)
    if (dim < 0)
      return context.error_at_attribute(
          "shape", fmt::format("the dimensions of 'shape' must be 0 or more, but one is {}", dim));
  std::optional<std::vector<int64_t>> result = broadcast(context.shape(0), shape);
  if (!result)
    return context.error_at_attribute("shape",
                                      fmt::format("{} does not broadcast with the shape {}",
                                                  to_string(context.operand(0)), to_string(shape)));
  return one_result(context, context.operand(0), std::move(*result));
}

} // namespace cnnc
