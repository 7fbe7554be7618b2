#include "compiler/quantize/equalize.h"

#include "compiler/pass/rewrite.h"
#include "compiler/pass/scale_channels.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cnnc {

void ChannelStatistics::add(std::span<const float> numbers, const std::vector<int64_t> &shape) {
  channels_.resize(static_cast<size_t>(shape[1]));
  if (numbers.empty())
    return;
  const auto inner = static_cast<size_t>(*element_count({shape.begin() + 2, shape.end()}));
  for (size_t begin = 0, channel = 0; begin < numbers.size(); begin += inner) {
    Channel &all = channels_[channel];
    for (float number : numbers.subspan(begin, inner)) {
      const auto value = static_cast<double>(number);
      all.least = std::min(all.least, value);
      all.largest = std::max(all.largest, value);
      all.sum += value;
      all.squares += value * value;
    }
    channel = channel + 1 < channels_.size() ? channel + 1 : 0;
  }
  count_ += static_cast<double>(numbers.size()) / static_cast<double>(channels_.size());
}

double ChannelStatistics::variance(size_t channel) const {
  const double mean = channels_[channel].sum / count_;
  return std::max(channels_[channel].squares / count_ - mean * mean, 0.0);
}

std::vector<ValueId> equalizable_values(const Graph &graph) {
  std::vector<ValueId> result;
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const Node *node = producer_of(graph, id);
    if (node && !graph.is_constant(id) && graph.type(id).dtype == DType::f32 &&
        !only_layers(graph, id).empty() &&
        (is_one_of<Unary, Binary>(node->op) || absorbs_factors(graph, id)))
      result.push_back(id);
  }
  return result;
}

namespace {

/// What is smaller counts as this part of the largest: a channel that is nearly empty on these images
/// keeps room for others.
constexpr double least_part = 1.0 / 16;
constexpr double steps_of_u8 = 255, steps_of_i8 = 127;

double square(double number) { return number * number; }

/// What a layer reads of each channel, as sums over its filter.
struct Reader {
  struct Output {
    std::vector<size_t> channels;         // that it reads
    std::vector<double> squares, largest; // of the weights of each
    double power = 0;                     // of the result, were channels independent
  };
  std::vector<Output> outputs;
  double taps = 1; // weights of a channel
};

Reader reader_of(const Graph &graph, const Node &layer, const ChannelStatistics &statistics,
                 const WeightStore &store) {
  const Tensor &filter =
      store.find(std::get<Weight>(producer_of(graph, layer.operands[1])->op).key);
  const std::vector<int64_t> &shape = filter.shape();
  const auto taps = static_cast<size_t>(*element_count({shape.begin() + 2, shape.end()}));
  Reader reader;
  reader.taps = static_cast<double>(taps);
  std::span<const float> weights = filter.floats();
  for (int64_t o = 0; o < shape[0]; ++o) {
    Reader::Output &output = reader.outputs.emplace_back();
    for (int64_t i = 0; i < shape[1]; ++i, weights = weights.subspan(taps)) {
      double squares = 0, largest = 0;
      for (float weight : weights.first(taps)) {
        squares += square(static_cast<double>(weight));
        largest = std::max(largest, static_cast<double>(std::abs(weight)));
      }
      const auto channel = static_cast<size_t>(input_channel(graph, layer, o, i));
      output.channels.push_back(channel);
      output.squares.push_back(squares);
      output.largest.push_back(largest);
      output.power += squares * statistics.variance(channel);
    }
  }
  return reader;
}

/// What rounding adds to the results of the layers, in parts of their power, when channels are
/// multiplied by the factors and filters divided: steps of the values, and of the weights.
double noise(const std::vector<Reader> &readers, const ChannelStatistics &statistics,
             const std::vector<double> &factors) {
  double least = 0, largest = 0;
  for (size_t c = 0; c < factors.size(); ++c) {
    least = std::min(least, statistics.channels()[c].least * factors[c]);
    largest = std::max(largest, statistics.channels()[c].largest * factors[c]);
  }
  const double value_noise = square((largest - least) / steps_of_u8) / 12;
  double sum = 0;
  for (const Reader &reader : readers)
    for (const Reader::Output &output : reader.outputs) {
      if (output.power == 0)
        continue;
      double from_values = 0, power = 0, largest_weight = 0;
      for (size_t i = 0; i < output.channels.size(); ++i) {
        const size_t c = output.channels[i];
        from_values += output.squares[i] / square(factors[c]);
        power += statistics.variance(c) * square(factors[c]);
        largest_weight = std::max(largest_weight, output.largest[i] / factors[c]);
      }
      const double weight_noise = square(largest_weight / steps_of_i8) / 12;
      sum += (value_noise * from_values + weight_noise * reader.taps * power) / output.power;
    }
  return sum;
}

/// A part of 1 for each channel, of how far it reaches.
std::vector<double> parts(std::vector<double> sizes) {
  const double largest = std::ranges::max(sizes);
  for (double &size : sizes)
    size = largest > 0 ? std::max(size / largest, least_part) : 1;
  return sizes;
}

} // namespace

std::vector<float> choose_factors(const Graph &graph, ValueId value,
                                  const ChannelStatistics &statistics, const WeightStore &store) {
  std::vector<Reader> readers;
  for (NodeId id : only_layers(graph, value))
    readers.push_back(reader_of(graph, graph.nodes[id], statistics, store));
  const size_t channels = statistics.channels().size();
  std::vector<double> reach(channels), weight(channels);
  for (size_t c = 0; c < channels; ++c)
    reach[c] = std::max(-statistics.channels()[c].least, statistics.channels()[c].largest);
  for (const Reader &reader : readers)
    for (const Reader::Output &output : reader.outputs) {
      const double largest = std::ranges::max(output.largest);
      for (size_t i = 0; i < output.channels.size() && largest > 0; ++i)
        weight[output.channels[i]] =
            std::max(weight[output.channels[i]], output.largest[i] / largest);
    }
  reach = parts(std::move(reach));
  weight = parts(std::move(weight));
  std::vector<double> factors(channels, 1), best;
  double least = noise(readers, statistics, factors) * 0.9; // a little is not worth a product
  constexpr std::array<double, 5> powers = {0, 0.25, 0.5, 0.75, 1};
  for (double of_reach : powers)
    for (double of_weight : powers) {
      for (size_t c = 0; c < channels; ++c)
        factors[c] = std::pow(weight[c], of_weight) / std::pow(reach[c], of_reach);
      if (const double sum = noise(readers, statistics, factors); sum < least) {
        least = sum;
        best = factors;
      }
    }
  return {best.begin(), best.end()};
}

} // namespace cnnc
