// Receptive fields: which part of the image an element of a value depends on.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Along one axis of the image: an element at position p of the value depends on the pixels from
/// start + p * stride on, `size` many (those before 0 and behind the end are padding).
struct AxisField {
  int64_t size = 1;
  int64_t stride = 1; // 0: positions are no longer regular, only the size is known
  int64_t start = 0;
  bool whole = false; // depends on all of the axis
  bool operator==(const AxisField &) const = default;
};

/// Height and width.
using ReceptiveField = std::array<AxisField, 2>;

/// The receptive field of every value in the model's first input, if that has four dimensions
/// [n, c, h, w]; empty for values that do not depend on it, or in a way that this cannot follow.
/// Two ways to a value are joined to the smallest interval that holds both. Follows Araujo, Norris
/// and Sim, "Computing receptive fields of convolutional neural networks", 2019.
std::vector<std::optional<ReceptiveField>> receptive_fields(const Graph &graph);

} // namespace cnnc
