// Convolutions and pools as windows that slide, cut to what the page has room for. A part of the
// section "convolution", whose format convolution.cpp describes.
#pragma once

#include "compiler/report/cut.h"
#include "compiler/report/sections.h"

namespace cnnc::report {

/// Input channels of an output channel, and channels of a pool.
inline constexpr int64_t most_terms = 4;

/// Where a window moves over its input.
struct Sliding {
  std::array<int64_t, 2> window, stride, dilation;
  std::array<int64_t, 4> pad; // top, left, bottom, right

  int64_t reach(size_t axis) const { return (window[axis] - 1) * dilation[axis] + 1; }
  /// Elements of the input, whose size is given, that the first `results` windows look at.
  int64_t read(size_t axis, int64_t results, int64_t size) const;
};

/// The part of a layer that is shown: so many rows and columns of its result, and what they read.
struct Part {
  std::array<int64_t, 2> output, input;
};

int64_t area(const std::array<int64_t, 2> &sides);

/// The largest part for which `count` gives no more than `most` numbers. A map that fits is whole,
/// its input included. Types of [n, c, h, w].
Part choose_part(const Sliding &sliding, const TensorType &input, const TensorType &output,
                 int64_t most, const std::function<int64_t(const Part &)> &count);

/// A layer as it goes into the page: words in JSON, and numbers.
struct Layer {
  Json json;
  std::vector<float> numbers;

  void add(const Tensor &tensor) {
    const std::span<const float> floats = tensor.floats();
    numbers.insert(numbers.end(), floats.begin(), floats.end());
  }
  void add(const std::vector<float> &floats) {
    numbers.insert(numbers.end(), floats.begin(), floats.end());
  }
};

/// What convolutions and pools have in common.
Json describe_sliding(const Graph &graph, const Node &node, const Sliding &sliding,
                      const KnownValues &values);

/// A conv2d, whose kernel has these members, in about `most` numbers. Empty where its operands are
/// not known.
std::optional<Layer> convolution_layer(const Graph &graph, const Node &node,
                                       const std::vector<NodeId> &members,
                                       const KnownValues &values, int64_t most);
/// A max_pool2d or avg_pool2d; empty for other ops, too.
std::optional<Layer> pool_layer(const Graph &graph, const Node &node, const KnownValues &values,
                                int64_t most);

} // namespace cnnc::report
