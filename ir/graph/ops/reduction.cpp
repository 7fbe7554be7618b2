#include "ir/graph/ops/reduction.h"

#include "ir/graph/ops/checks.h"

#include <fmt/format.h>

namespace cnnc {

namespace {

/// Which dimensions of operand 0 the axes name; reports what is wrong with them.
std::optional<std::vector<bool>> reduced_dims(InferContext &context,
                                              const std::vector<int64_t> &axes) {
  if (axes.empty())
    return context.error_at_attribute("axes", "'axes' names no axis to reduce");
  std::vector<bool> reduced(context.shape(0).size(), false);
  for (int64_t axis : axes) {
    std::optional<size_t> normalized = require_axis(context, "axes", axis);
    if (!normalized || !require_not_batch(context, "axes", *normalized, "reduced"))
      return std::nullopt;
    if (reduced[*normalized])
      return context.error_at_attribute("axes", fmt::format("axis {} is given twice", axis));
    reduced[*normalized] = true;
  }
  return reduced;
}

std::vector<int64_t> reduced_shape(const std::vector<int64_t> &input,
                                   const std::vector<bool> &reduced, bool keep_dims) {
  std::vector<int64_t> shape;
  for (size_t i = 0; i < input.size(); ++i)
    if (!reduced[i] || keep_dims)
      shape.push_back(reduced[i] ? 1 : input[i]);
  return shape;
}

InferredTypes with_dtype(InferredTypes types, size_t index, DType dtype) {
  if (types)
    (*types)[index].dtype = dtype;
  return types;
}

} // namespace

template <ReduceKind kind> InferredTypes Reduce<kind>::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  std::optional<std::vector<bool>> reduced = reduced_dims(context, axes);
  if (!reduced)
    return std::nullopt;
  return one_result(context, context.operand(0),
                    reduced_shape(context.shape(0), *reduced, keep_dims));
}

template InferredTypes Reduce<ReduceKind::mean>::infer(InferContext &) const;
template InferredTypes Reduce<ReduceKind::sum>::infer(InferContext &) const;
template InferredTypes Reduce<ReduceKind::max>::infer(InferContext &) const;
template InferredTypes Reduce<ReduceKind::min>::infer(InferContext &) const;
template InferredTypes Reduce<ReduceKind::prod>::infer(InferContext &) const;

template <bool largest> InferredTypes ArgExtreme<largest>::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  std::optional<size_t> normalized = require_axis(context, "axis", axis);
  if (!normalized || !require_not_batch(context, "axis", *normalized, "searched"))
    return std::nullopt;
  std::vector<bool> reduced(context.shape(0).size(), false);
  reduced[*normalized] = true;
  return with_dtype(
      one_result(context, context.operand(0), reduced_shape(context.shape(0), reduced, keep_dims)),
      0, DType::i64);
}

template InferredTypes ArgExtreme<true>::infer(InferContext &) const;
template InferredTypes ArgExtreme<false>::infer(InferContext &) const;

InferredTypes TopK::infer(InferContext &context) const {
  if (!context.require_f32())
    return std::nullopt;
  std::optional<size_t> normalized = require_axis(context, "axis", axis);
  if (!normalized || !require_not_batch(context, "axis", *normalized, "sorted"))
    return std::nullopt;
  std::vector<int64_t> shape = context.shape(0);
  if (k < 1 || k > shape[*normalized])
    return context.error_at_attribute(
        "k", fmt::format("'k' must be between 1 and the {} elements of dimension {} of {}, but is "
                         "{}",
                         shape[*normalized], *normalized, to_string(context.operand(0)), k));
  shape[*normalized] = k;
  InferredTypes types = one_result(context, context.operand(0), shape);
  if (types)
    types->push_back(types->front());
  return with_dtype(std::move(types), 1, DType::i64);
}

} // namespace cnnc
