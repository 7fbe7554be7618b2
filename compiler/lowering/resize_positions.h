// Where the elements of a resized dimension come from: the formulas of the operator Resize in the
// specification of ONNX (docs/Operators.md, Resize; half_pixel_symmetric since opset 19).
#pragma once

#include "ir/graph/ops/resize.h"

namespace cnnc {

/// A dimension of the result: position p is the sum over t of weights[t][p] times the input's
/// element indices[t][p].
struct ResizePositions {
  int64_t input = 0, output = 0;
  std::vector<std::vector<int64_t>> indices; // a list for each tap, all inside of the input
  std::vector<std::vector<double>> weights;
  std::vector<bool> outside; // positions beyond the input, for the extrapolation value
  bool gaps = false;         // some position has elements of weight 0 alone, which must not count

  size_t taps() const { return indices.size(); }
  bool any_outside() const;
  /// Whether the only tap of every position has the weight 1.
  bool copies() const;
  /// k when position p is element p / k, or empty.
  std::optional<int64_t> repeats() const;
  /// Stride and first element when tap t of position p is element first + p * stride + t, stride >
  /// 0.
  std::optional<std::pair<int64_t, int64_t>> strides() const;
  /// Whether all weights are 1.
  bool unweighted() const;
};

/// The positions along height (axis 0) or width (axis 1).
ResizePositions resize_positions(const Resize2d &op, size_t axis, int64_t input);

/// The transposed map, from what was the result to what was the input: position p is the sum over
/// the positions that it was a part of. Those outside of the input had none.
ResizePositions transposed(const ResizePositions &positions);

} // namespace cnnc
