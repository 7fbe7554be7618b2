// Ops on values that are known when the model is imported: computations with shapes. Integers are
// exact, floats are rounded to f32 after each op. The size of a symbolic batch may be moved and
// compared; computing with it is an error.
#pragma once

#include "compiler/onnx/import/node.h"

#include <span>

namespace cnnc {

/// What a fold has found: values, an error that it has reported, or that it is not its business (a
/// form that the import of the op should see).
struct Folded {
  enum class Kind { values, error, declined } kind = Kind::declined;
  std::vector<FixedTensor> values = {};

  static Folded one(FixedTensor value) { return {Kind::values, {std::move(value)}}; }
  /// Takes what OnnxNode::fail() returns.
  static Folded error(bool /*false*/) { return {Kind::error}; }
  static Folded declined() { return {}; }
};

using Fold = Folded (*)(OnnxNode &);

struct FoldRow {
  std::string_view op;
  Fold fold;
  size_t least_inputs, most_inputs; // a fold may rely on the first ones
};

/// Of an op that takes any number of inputs: all of them are there.
inline constexpr size_t any_number = std::numeric_limits<size_t>::max();

/// Null when there is none.
const FoldRow *find_fold(std::string_view op);

/// Computes a node whose inputs are all known. Empty: to be imported like any other, for instance
/// since floats are so many that they are weights.
std::optional<bool> fold_node(OnnxNode &node, const FoldRow &row);

/// Results of more elements are not computed here.
inline constexpr int64_t most_folded = int64_t(1) << 22;

/// The elements at these positions of a tensor, under a new shape.
FixedTensor picked(const FixedTensor &from, std::vector<int64_t> shape,
                   const std::vector<int64_t> &positions);

/// base + the sum of index * stride, for every index of a shape.
std::vector<int64_t> strided_positions(const std::vector<int64_t> &shape,
                                       const std::vector<int64_t> &strides, int64_t base = 0);

/// For each element of `shape` the position of what broadcasts to it in a tensor of shape `from`.
std::vector<int64_t> broadcast_positions(const std::vector<int64_t> &from,
                                         const std::vector<int64_t> &shape);

/// Number of elements; empty after a report when they are more than `most` or a dimension is
/// negative.
std::optional<int64_t> folded_count(OnnxNode &node, const std::vector<int64_t> &shape,
                                    int64_t most = most_folded);

} // namespace cnnc
