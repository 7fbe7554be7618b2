#include "compiler/lowering/resize_positions.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace cnnc {

namespace {

/// A coordinate in the input: whole + fraction, 0 <= fraction < 1. The fraction is exact or rounded
/// once, which keeps it on its side of 1/2.
struct Coordinate {
  int64_t whole = 0;
  double fraction = 0;
};

/// a / b for b > 0.
Coordinate quotient(int64_t a, int64_t b) {
  const int64_t rest = (a % b + b) % b;
  return {(a - rest) / b, static_cast<double>(rest) / static_cast<double>(b)};
}

/// How far an element can be from a position that it is a part of.
double reach_of(const Resize2d &op, size_t axis, int64_t input) {
  const double reach = op.mode == ResizeMode::linear ? 1 : 2;
  return op.antialias ? reach / std::min(1.0, op.scale(axis, input)) : reach;
}

/// Farther outside all is the edge.
Coordinate clamped(double x, int64_t input, double reach) {
  x = std::clamp(x, -reach - 1, static_cast<double>(input) + reach);
  const double whole = std::floor(x);
  return {static_cast<int64_t>(whole), x - whole};
}

/// Whether the scale is what the sizes give: there are none, or it is their quotient in f32.
bool scale_of_sizes(const Resize2d &op, size_t axis, int64_t input) {
  const double ratio = static_cast<double>(op.sizes[axis]) / static_cast<double>(input);
  return op.scales.empty() || static_cast<float>(op.scales[axis]) == static_cast<float>(ratio);
}

/// Of position p of the result, in integers.
Coordinate coordinate_by_sizes(const Resize2d &op, size_t axis, int64_t input, int64_t p) {
  const int64_t output = op.sizes[axis];
  switch (op.coordinates) {
  case ResizeCoordinates::pytorch_half_pixel:
    if (output == 1)
      return {};
    [[fallthrough]];
  case ResizeCoordinates::half_pixel:
  case ResizeCoordinates::half_pixel_symmetric: // nothing is left over at the edges
    return quotient((2 * p + 1) * input - output, 2 * output);
  case ResizeCoordinates::asymmetric:
    return quotient(p * input, output);
  case ResizeCoordinates::tf_half_pixel_for_nn:
    return quotient((2 * p + 1) * input, 2 * output);
  case ResizeCoordinates::align_corners:
  case ResizeCoordinates::tf_crop_and_resize: // of the whole input
    return output > 1 ? quotient(p * (input - 1), output - 1) : Coordinate{};
  }
  return {};
}

/// Of position p by a scale that is not what the sizes give, step by step in `Number`.
template <class Number>
Number coordinate_by_scale(const Resize2d &op, size_t axis, int64_t input, int64_t p) {
  const auto position = static_cast<Number>(p), scale = static_cast<Number>(op.scales[axis]);
  const auto half = static_cast<Number>(0.5), one = static_cast<Number>(1);
  if (op.coordinates == ResizeCoordinates::asymmetric)
    return position / scale;
  if (op.coordinates == ResizeCoordinates::tf_half_pixel_for_nn)
    return (position + half) / scale;
  if (op.coordinates == ResizeCoordinates::pytorch_half_pixel && op.sizes[axis] == 1)
    return 0;
  const Number centre = (position + half) / scale - half;
  if (op.coordinates != ResizeCoordinates::half_pixel_symmetric)
    return centre;
  const auto size = static_cast<Number>(input), output = static_cast<Number>(op.sizes[axis]);
  return size / 2 * (one - output / (scale * size)) + centre;
}

/// Of position p between the ends of a region, which are in parts of the input.
double coordinate_in_region(double start, double end, int64_t input, int64_t output, int64_t p) {
  const auto last = static_cast<double>(output - 1), position = static_cast<double>(p);
  const double part =
      output > 1 ? (start * (last - position) + end * position) / last : (start + end) / 2;
  return part * static_cast<double>(input - 1);
}

/// Of position p of the result: exact in integers where it is a quotient of them. Otherwise mode
/// nearest works in single precision, as other programs do, so that what is a whole number or a tie
/// but for rounding is one.
Coordinate coordinate(const Resize2d &op, size_t axis, int64_t input, int64_t p) {
  const bool nearest = op.mode == ResizeMode::nearest;
  if (op.coordinates == ResizeCoordinates::tf_crop_and_resize) {
    const double start = op.roi[2 + axis], end = op.roi[6 + axis];
    if (start == 0 && end == 1 && op.sizes[axis] > 1)
      return coordinate_by_sizes(op, axis, input, p);
    const double x = coordinate_in_region(start, end, input, op.sizes[axis], p);
    return clamped(nearest ? static_cast<float>(x) : x, input, reach_of(op, axis, input));
  }
  if (op.coordinates == ResizeCoordinates::align_corners || scale_of_sizes(op, axis, input))
    return coordinate_by_sizes(op, axis, input, p);
  return clamped(nearest ? coordinate_by_scale<float>(op, axis, input, p)
                         : coordinate_by_scale<double>(op, axis, input, p),
                 input, reach_of(op, axis, input));
}

int64_t rounded(ResizeNearest nearest, Coordinate x) {
  switch (nearest) {
  case ResizeNearest::round_prefer_floor:
    return x.whole + (x.fraction > 0.5 ? 1 : 0);
  case ResizeNearest::round_prefer_ceil:
    return x.whole + (x.fraction >= 0.5 ? 1 : 0);
  case ResizeNearest::floor:
    return x.whole;
  case ResizeNearest::ceil:
    return x.whole + (x.fraction > 0 ? 1 : 0);
  }
  return x.whole;
}

/// The weight of an element at a distance: of modes linear and cubic (cubic convolution, Keys).
double filter(const Resize2d &op, double distance) {
  const double d = std::abs(distance), a = op.cubic_coeff_a;
  if (op.mode == ResizeMode::linear)
    return std::max(0.0, 1 - d);
  if (d <= 1)
    return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/// Neighbouring elements from `first` on, which may lie beyond the edges.
struct Taps {
  int64_t first = 0;
  std::vector<double> weights;
};

Taps taps_at(const Resize2d &op, Coordinate x) {
  if (op.mode == ResizeMode::nearest)
    return {rounded(op.nearest, x), {1}};
  const double f = x.fraction;
  if (op.mode == ResizeMode::linear)
    return {x.whole, {1 - f, f}};
  return {x.whole - 1, {filter(op, 1 + f), filter(op, f), filter(op, 1 - f), filter(op, 2 - f)}};
}

/// The same with a filter that is stretched by 1 / scale, without zeros at its ends.
Taps antialiased_taps_at(const Resize2d &op, Coordinate x, double scale, double reach) {
  const auto before = static_cast<int64_t>(std::floor(reach - x.fraction));
  const auto behind = static_cast<int64_t>(std::floor(reach + x.fraction));
  Taps taps = {x.whole - before, {}};
  for (int64_t i = -before; i <= behind; ++i)
    taps.weights.push_back(filter(op, (static_cast<double>(i) - x.fraction) * scale));
  while (taps.weights.size() > 1 && taps.weights.back() == 0)
    taps.weights.pop_back();
  while (taps.weights.size() > 1 && taps.weights.front() == 0)
    taps.weights.erase(taps.weights.begin()), ++taps.first;
  return taps;
}

/// Elements beyond the edges do not count, or the sum of all weights becomes 1.
void normalize(const Resize2d &op, Taps &taps, int64_t input) {
  double sum = 0;
  for (size_t t = 0; t < taps.weights.size(); ++t) {
    const int64_t at = taps.first + static_cast<int64_t>(t);
    if (op.exclude_outside && (at < 0 || at >= input))
      taps.weights[t] = 0;
    sum += taps.weights[t];
  }
  for (double &weight : taps.weights)
    weight = sum != 0 ? weight / sum : weight;
}

/// Weights of elements beyond the edges go to those at the edges.
void move_inside(Taps &taps, int64_t input) {
  Taps inside = {std::clamp<int64_t>(taps.first, 0, input - 1), {}};
  for (size_t t = 0; t < taps.weights.size(); ++t) {
    const int64_t at = std::clamp<int64_t>(taps.first + static_cast<int64_t>(t), 0, input - 1);
    inside.weights.resize(static_cast<size_t>(at - inside.first) + 1);
    inside.weights.back() += taps.weights[t];
  }
  taps = std::move(inside);
}

/// Positions that need fewer elements than others take parts of their last one several times: one
/// that does not count must not be multiplied by zero, as it may be an infinity.
void append(ResizePositions &positions, const Taps &taps, int64_t input) {
  const size_t own = taps.weights.size(), all = positions.taps();
  for (size_t t = 0; t < all; ++t) {
    const size_t tap = std::min(t, own - 1);
    const double parts = t + 1 < own ? 1 : static_cast<double>(all - own + 1);
    const int64_t at = taps.first + static_cast<int64_t>(tap);
    positions.indices[t].push_back(std::clamp<int64_t>(at, 0, input - 1));
    positions.weights[t].push_back(taps.weights[tap] / parts);
  }
}

} // namespace

ResizePositions resize_positions(const Resize2d &op, size_t axis, int64_t input) {
  ResizePositions result;
  result.input = input;
  result.output = op.sizes[axis];
  const double scale = op.scale(axis, input);
  const bool shrinks = op.antialias && scale < 1;
  const bool crops = op.coordinates == ResizeCoordinates::tf_crop_and_resize;
  std::vector<Taps> all;
  size_t most = 0;
  for (int64_t p = 0; p < result.output; ++p) {
    const Coordinate x = coordinate(op, axis, input, p);
    result.outside.push_back(
        crops && (x.whole < 0 || x.whole >= input || (x.whole == input - 1 && x.fraction > 0)));
    Taps taps =
        shrinks ? antialiased_taps_at(op, x, scale, reach_of(op, axis, input)) : taps_at(op, x);
    if (op.mode != ResizeMode::nearest && (op.exclude_outside || shrinks))
      normalize(op, taps, input);
    if (shrinks)
      move_inside(taps, input);
    most = std::max(most, taps.weights.size());
    all.push_back(std::move(taps));
  }
  result.indices.resize(most);
  result.weights.resize(most);
  for (const Taps &taps : all)
    append(result, taps, input);
  // Positions that all hit elements need their first tap alone.
  auto zero = [](const std::vector<double> &list) {
    return std::all_of(list.begin(), list.end(), [](double w) { return w == 0; });
  };
  for (size_t t = most; t-- > 0 && result.taps() > 1;)
    if (zero(result.weights[t])) {
      result.indices.erase(result.indices.begin() + static_cast<std::ptrdiff_t>(t));
      result.weights.erase(result.weights.begin() + static_cast<std::ptrdiff_t>(t));
    }
  return result;
}

ResizePositions transposed(const ResizePositions &positions) {
  // Of each element the positions that it is a part of, with their weights.
  std::vector<std::map<int64_t, double>> parts(static_cast<size_t>(positions.input));
  for (int64_t p = 0; p < positions.output; ++p)
    for (size_t t = 0; t < positions.taps() && !positions.outside[static_cast<size_t>(p)]; ++t) {
      const auto at = static_cast<size_t>(p);
      if (const double weight = positions.weights[t][at]; weight != 0)
        parts[static_cast<size_t>(positions.indices[t][at])][p] += weight;
    }
  size_t most = 1;
  for (const auto &list : parts)
    most = std::max(most, list.size());
  ResizePositions result;
  result.input = positions.output;
  result.output = positions.input;
  result.outside.assign(parts.size(), false);
  result.indices.resize(most);
  result.weights.resize(most);
  for (const auto &list : parts) {
    result.gaps = result.gaps || list.empty();
    // As in append(), the last one is split.
    const auto repeats = static_cast<double>(most - list.size() + 1);
    auto part = list.begin();
    for (size_t t = 0; t < most; ++t) {
      const bool last = t + 1 >= list.size();
      result.indices[t].push_back(list.empty() ? 0 : part->first);
      result.weights[t].push_back(list.empty() ? 0 : part->second / (last ? repeats : 1));
      if (!last)
        ++part;
    }
  }
  return result;
}

bool ResizePositions::any_outside() const {
  return std::find(outside.begin(), outside.end(), true) != outside.end();
}

bool ResizePositions::unweighted() const {
  return std::ranges::all_of(weights, [](const std::vector<double> &list) {
    return std::ranges::all_of(list, [](double w) { return w == 1; });
  });
}

std::optional<int64_t> ResizePositions::repeats() const {
  if (taps() != 1 || output % input != 0)
    return std::nullopt;
  const int64_t times = output / input;
  for (int64_t p = 0; p < output; ++p)
    if (indices[0][static_cast<size_t>(p)] != p / times)
      return std::nullopt;
  return times;
}

std::optional<std::pair<int64_t, int64_t>> ResizePositions::strides() const {
  const int64_t first = indices[0][0], stride = output > 1 ? indices[0][1] - first : 1;
  for (int64_t t = 0; t < static_cast<int64_t>(taps()); ++t)
    for (int64_t p = 0; p < output; ++p)
      if (indices[static_cast<size_t>(t)][static_cast<size_t>(p)] != first + p * stride + t)
        return std::nullopt;
  return stride > 0 ? std::optional(std::pair(stride, first)) : std::nullopt;
}

} // namespace cnnc
