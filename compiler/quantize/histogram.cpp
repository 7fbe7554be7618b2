#include "compiler/quantize/histogram.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

constexpr size_t bins_per_side = 2048;

} // namespace

bool Histogram::add(std::span<const float> numbers) {
  if (!std::ranges::all_of(numbers, [](float number) { return std::isfinite(number); }))
    return false;
  if (numbers.empty())
    return true;
  const auto [least, largest] = std::ranges::minmax(numbers);
  extremes_.least = std::min(extremes_.least, static_cast<double>(least));
  extremes_.largest = std::max(extremes_.largest, static_cast<double>(largest));
  widen_to(std::max(-extremes_.least, extremes_.largest));
  for (float number : numbers)
    if (number != 0)
      ++counts_[static_cast<size_t>(std::floor(static_cast<double>(number) / width_) +
                                    static_cast<double>(bins_per_side))];
  return true;
}

/// The first number other than 0 decides on the width, so that 0 stays a border between bins.
void Histogram::widen_to(double magnitude) {
  if (magnitude == 0)
    return;
  if (width_ == 0) {
    counts_.resize(2 * bins_per_side);
    width_ = magnitude / static_cast<double>(bins_per_side - 1);
  }
  for (; magnitude >= width_ * static_cast<double>(bins_per_side - 1); width_ *= 2) {
    std::vector<uint64_t> wider(counts_.size());
    for (size_t i = 0; i < counts_.size(); ++i)
      wider[(i + bins_per_side) / 2] += counts_[i];
    counts_ = std::move(wider);
  }
}

std::vector<Histogram::Bin> Histogram::bins() const {
  std::vector<Bin> result;
  for (size_t i = 0; i < counts_.size(); ++i)
    if (counts_[i] > 0)
      result.push_back(
          {(static_cast<double>(i) - static_cast<double>(bins_per_side) + 0.5) * width_,
           counts_[i]});
  return result;
}

} // namespace cnnc
