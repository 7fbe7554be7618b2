// Gradients of ops that move elements: the same elements on their way back.
#include "ir/graph/gradients/backward.h"

#include <algorithm>

namespace cnnc {

namespace {

/// Adds the slices of x along an axis up at these places of a dimension of `size`.
Term put_back(const Term &x, size_t axis, const std::vector<int64_t> &places, int64_t size) {
  std::vector<double> elements(places.begin(), places.end());
  const auto count = static_cast<int64_t>(elements.size());
  return apply(ScatterAdd{static_cast<int64_t>(axis), size},
               {x, constant(x, std::move(elements), {count}, DType::i64)});
}

} // namespace

void Concat::differentiate(Backward &backward) const {
  const size_t along = normalized_axis(axis, backward.result().rank()).value_or(0);
  Split parts{axis, {}};
  for (size_t i = 0; i < backward.operand_count(); ++i)
    parts.sizes.push_back(backward.operand(i).dim(along));
  const std::vector<Term> gradients = apply_all(parts, {backward.gradient()});
  for (size_t i = 0; i < gradients.size(); ++i)
    backward.give(i, gradients[i]);
}

void Split::differentiate(Backward &backward) const {
  std::vector<Term> parts;
  for (size_t i = 0; i < backward.result_count(); ++i)
    parts.push_back(backward.gradient(i));
  backward.give(0, cnnc::apply(Concat{axis}, parts)); // not std::apply
}

/// Zeros where nothing was read.
void Slice::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  const std::vector<Range> read = ranges(x.shape());
  Term result = backward.gradient();
  Pad border;
  for (size_t i = 0; i < read.size(); ++i) {
    const auto [start, count, step] = read[i];
    if (step != 1) {
      std::vector<int64_t> places;
      for (int64_t k = 0; k < count; ++k)
        places.push_back(start + k * step);
      result = put_back(result, i, places, x.dim(i));
    }
    border.before.push_back(step == 1 ? start : 0);
    border.after.push_back(step == 1 ? x.dim(i) - start - count : 0);
  }
  auto is_zero = [](int64_t count) { return count == 0; };
  const bool whole =
      std::ranges::all_of(border.before, is_zero) && std::ranges::all_of(border.after, is_zero);
  backward.give(0, whole ? result : apply(border, {result}));
}

namespace {

/// The element of a dimension of `size` that pad puts at `position`, counted from its first one.
int64_t source_of(int64_t position, int64_t size, PadMode mode) {
  if (mode == PadMode::edge)
    return std::clamp<int64_t>(position, 0, size - 1);
  if (mode == PadMode::wrap)
    return ((position % size) + size) % size;
  if (position < 0)
    position = -position;
  return position >= size ? 2 * (size - 1) - position : position; // pads are smaller than size
}

} // namespace

void Pad::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  Term result = backward.gradient();
  for (size_t i = 0; i < x.rank(); ++i) {
    if (before[i] == 0 && after[i] == 0)
      continue;
    const auto axis = static_cast<int64_t>(i);
    if (mode == PadMode::constant) {
      result = apply(Slice{{before[i]}, {before[i] + x.dim(i)}, {axis}, {}}, {result});
      continue;
    }
    std::vector<int64_t> places;
    for (int64_t k = -before[i]; k < x.dim(i) + after[i]; ++k)
      places.push_back(source_of(k, x.dim(i), mode));
    result = put_back(result, i, places, x.dim(i));
  }
  backward.give(0, result);
}

void Reshape::differentiate(Backward &backward) const {
  backward.give(0, reshape(backward.gradient(), backward.operand(0).shape()));
}

void Flatten::differentiate(Backward &backward) const {
  backward.give(0, reshape(backward.gradient(), backward.operand(0).shape()));
}

void Transpose::differentiate(Backward &backward) const {
  std::vector<int64_t> back(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    back[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  backward.give(0, transpose(backward.gradient(), std::move(back)));
}

void Expand::differentiate(Backward &backward) const {
  backward.give_summed(0, backward.gradient());
}

void DepthToSpace::differentiate(Backward &backward) const {
  Term dy = backward.gradient();
  if (crop != std::array<int64_t, 4>{})
    dy = apply(Pad{{0, 0, crop[0], crop[1]}, {0, 0, crop[2], crop[3]}, PadMode::constant, 0}, {dy});
  if (mode == DepthOrder::dcr)
    return backward.give(0, apply(SpaceToDepth{block}, {dy}));
  const Term x = backward.operand(0);
  const Term blocks = reshape(dy, {dy.dim(0), dy.dim(1), x.dim(2), block[0], x.dim(3), block[1]});
  backward.give(0, reshape(transpose(blocks, {0, 1, 3, 5, 2, 4}), x.shape()));
}

void SpaceToDepth::differentiate(Backward &backward) const {
  backward.give(0, apply(DepthToSpace{block, DepthOrder::dcr, {}}, {backward.gradient()}));
}

void Gather::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  if (!backward.wants(0))
    return;
  const auto along = static_cast<int64_t>(normalized_axis(axis, x.rank()).value_or(0));
  backward.give(0, apply(ScatterAdd{along, x.dim(static_cast<size_t>(along))},
                         {backward.gradient(), backward.operand(1)}));
}

void ScatterAdd::differentiate(Backward &backward) const {
  backward.give(0, apply(Gather{axis}, {backward.gradient(), backward.operand(1)}));
}

} // namespace cnnc
