#include "compiler/quantize/range.h"

#include <algorithm>
#include <cmath>

namespace cnnc {

namespace {

constexpr double steps_of_u8 = 255;
/// Of the numbers other than 0 that `percentile` leaves outside, on each side.
constexpr double outside = 1e-4;

/// The center of the bin at which so many numbers lie before it; 0 where there are fewer.
template <class Bins> double bin_after(const Bins &bins, double skipped) {
  double seen = 0;
  for (const Histogram::Bin &bin : bins)
    if (seen += static_cast<double>(bin.count); seen > skipped)
      return bin.center;
  return 0;
}

ValueRange percentile(const Histogram &histogram) {
  std::vector<Histogram::Bin> bins = histogram.bins();
  double count = 0;
  for (const Histogram::Bin &bin : bins)
    count += static_cast<double>(bin.count);
  const ValueRange &all = histogram.extremes();
  const double least = bin_after(bins, count * outside);
  std::ranges::reverse(bins);
  return {std::max(all.least, std::min(least, 0.0)),
          std::min(all.largest, std::max(bin_after(bins, count * outside), 0.0))};
}

/// Sum of squares of what rounding to a step and clamping to the range change: a step is uniformly
/// wrong by half of it at most, hence by its square / 12 on average.
double squared_error(const std::vector<Histogram::Bin> &bins, const ValueRange &range) {
  const double step = (range.largest - range.least) / steps_of_u8;
  double error = 0;
  for (const Histogram::Bin &bin : bins) {
    const double off = bin.center - std::clamp(bin.center, range.least, range.largest);
    error += static_cast<double>(bin.count) * (off * off + step * step / 12);
  }
  return error;
}

/// One end after the other, in parts of the extremes, until nothing gets better.
ValueRange least_squared_error(const Histogram &histogram) {
  constexpr int parts = 64;
  const std::vector<Histogram::Bin> bins = histogram.bins();
  const ValueRange &all = histogram.extremes();
  ValueRange best = all;
  double least_error = squared_error(bins, best);
  auto try_ends = [&](double ValueRange::*end) {
    bool better = false;
    for (int part = 1; part <= parts; ++part) {
      ValueRange range = best;
      range.*end = all.*end * part / parts;
      if (const double error = squared_error(bins, range); error < least_error) {
        least_error = error;
        best = range;
        better = true;
      }
    }
    return better;
  };
  for (bool better = true; better;) {
    better = try_ends(&ValueRange::largest);
    better = try_ends(&ValueRange::least) || better;
  }
  return best;
}

} // namespace

ValueRange choose_range(const Histogram &histogram, RangeRule rule) {
  switch (rule) {
  case RangeRule::min_max:
    return histogram.extremes();
  case RangeRule::percentile:
    return percentile(histogram);
  case RangeRule::squared_error:
    break;
  }
  return least_squared_error(histogram);
}

ValueRange join(const ValueRange &a, const ValueRange &b) {
  return {std::min(a.least, b.least), std::max(a.largest, b.largest)};
}

ActivationScale scale_of(const ValueRange &range) {
  const auto scale = static_cast<float>((range.largest - range.least) / steps_of_u8);
  if (!(scale > 0))
    return {};
  const double zero = std::nearbyint(-range.least / static_cast<double>(scale));
  return {scale, static_cast<int64_t>(std::clamp(zero, 0.0, steps_of_u8))};
}

} // namespace cnnc
