// Factors for the channels of a value, so that one scale of its integers suits all of them.
//
// Where one channel of an activation reaches to 10 and another to 0.1, two of 255 steps are left for the
// latter. Both reach equally far in x * factor; the layers that read it divide their filters by the
// factors, which shifts a part of the error to the filters: for a depthwise convolution none, since each
// channel has a filter, and a scale for it, of its own. After Nagel et al. 2019, "Data-Free Quantization
// Through Weight Equalization and Bias Correction", 4.1, with ranges as images show them.
#pragma once

#include "compiler/quantize/weight_store.h"

namespace cnnc {

/// What the channels (dimension 1) of a value are, over many images.
class ChannelStatistics {
public:
  /// Of a value of this shape.
  void add(std::span<const float> numbers, const std::vector<int64_t> &shape);

  struct Channel {
    double least = 0, largest = 0; // and 0
    double sum = 0, squares = 0;
  };
  const std::vector<Channel> &channels() const { return channels_; }
  /// The mean square of what differs from the mean: a bias makes up for that.
  double variance(size_t channel) const;

private:
  std::vector<Channel> channels_;
  double count_ = 0;
};

/// What quantised layers alone read, and of which a multiple costs nothing, or a product where an
/// element-wise op computes it.
std::vector<ValueId> equalizable_values(const Graph &graph);

/// The factors with which the layers that read the value are least wrong, as far as statistics tell;
/// nothing where that is no better than without. The filters are in the store.
std::vector<float> choose_factors(const Graph &graph, ValueId value,
                                  const ChannelStatistics &statistics, const WeightStore &store);

} // namespace cnnc
