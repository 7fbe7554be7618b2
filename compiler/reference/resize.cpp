// Resize as ONNX defines it: the formulas of the specification for any type of numbers, exact
// fractions where all is made of integers. No coordinate is rounded to an element: the element is
// looked for whose neighbourhood holds the coordinate.
#include "compiler/reference/compute.h"
#include "compiler/reference/floats.h"
#include "compiler/tensor/element.h"
#include "compiler/tensor/index.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cnnc::reference {

namespace {

using Coordinates = ResizeCoordinates;

/// A quotient of integers, in lowest terms.
class Fraction {
public:
  Fraction(int64_t numerator, int64_t denominator = 1) // NOLINT: an integer is one
      : numerator_(numerator), denominator_(denominator) {
    int64_t common = std::gcd(numerator_, denominator_) * (denominator_ < 0 ? -1 : 1);
    numerator_ /= common;
    denominator_ /= common;
  }
  explicit operator double() const { return double(numerator_) / double(denominator_); }
  friend Fraction operator+(Fraction a, Fraction b) {
    return {a.numerator_ * b.denominator_ + b.numerator_ * a.denominator_,
            a.denominator_ * b.denominator_};
  }
  friend Fraction operator-(Fraction a, Fraction b) { return a + Fraction(-1) * b; }
  friend Fraction operator*(Fraction a, Fraction b) {
    return {a.numerator_ * b.numerator_, a.denominator_ * b.denominator_};
  }
  friend Fraction operator/(Fraction a, Fraction b) {
    return a * Fraction(b.denominator_, b.numerator_);
  }
  friend bool operator<(Fraction a, Fraction b) {
    return a.numerator_ * b.denominator_ < b.numerator_ * a.denominator_;
  }
  friend bool operator<=(Fraction a, Fraction b) { return !(b < a); }

private:
  int64_t numerator_, denominator_;
};

/// x_original of the specification, from x_resized.
template <class Number>
Number original(Coordinates coordinates, Number x_resized, Number scale, Number length_original,
                Number length_resized) {
  const Number zero(0), one(1), half = one / Number(2);
  const bool single = length_resized <= one;
  switch (coordinates) {
  case Coordinates::asymmetric:
    return x_resized / scale;
  case Coordinates::tf_half_pixel_for_nn:
    return (x_resized + half) / scale;
  case Coordinates::align_corners:
  case Coordinates::tf_crop_and_resize: // the region is all of the input
    return single ? zero : x_resized * (length_original - one) / (length_resized - one);
  case Coordinates::half_pixel:
    return (x_resized + half) / scale - half;
  case Coordinates::pytorch_half_pixel:
    return single ? zero : (x_resized + half) / scale - half;
  case Coordinates::half_pixel_symmetric:
    break;
  }
  Number adjustment = length_resized / (scale * length_original);
  Number center = length_original / Number(2), offset = center * (one - adjustment);
  return offset + ((x_resized + half) / scale - half);
}

/// The same for a region.
long double cropped(long double start, long double end, long double length_original,
                    long double length_resized, long double x_resized) {
  if (length_resized <= 1)
    return (start + end) * (length_original - 1) / 2;
  return start * (length_original - 1) +
         x_resized * (end - start) * (length_original - 1) / (length_resized - 1);
}

/// The last of the integers from `first` to `last` for which `holds`, which does for all before
/// it; the first one when it holds for none.
template <class Predicate> int64_t last_that(int64_t first, int64_t last, Predicate holds) {
  while (first < last) {
    int64_t middle = last - (last - first) / 2;
    (holds(middle) ? first : last) = holds(middle) ? middle : middle - 1;
  }
  return first;
}

/// The element in whose neighbourhood x is: from the element to the next one, from the one before
/// to the element, or half of both; and the limits that belong to it.
template <class Number> int64_t nearest(ResizeNearest mode, Number x, int64_t length) {
  const Number one(1), half = one / Number(2);
  return last_that(0, length - 1, [&](int64_t element) {
    Number k(element);
    switch (mode) {
    case ResizeNearest::floor:
      return k <= x;
    case ResizeNearest::ceil:
      return k - one < x;
    case ResizeNearest::round_prefer_floor:
      return k - half < x;
    case ResizeNearest::round_prefer_ceil:
      return k - half <= x;
    }
    return false;
  });
}

/// The kernel of cubic convolution at a distance.
double cubic(double a, double d) {
  d = std::abs(d);
  if (d <= 1)
    return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0;
}

struct Tap {
  int64_t index;
  double weight;
};

/// What a position of the result is made of.
struct Position {
  std::vector<Tap> taps;
  bool outside = false;
};

/// `narrow`: what distances are multiplied by, below 1 where antialiasing makes the kernel wider.
template <class Number>
Position position(const Resize2d &op, Number x, int64_t length, double narrow) {
  Position result;
  result.outside = x < Number(0) || Number(length - 1) < x;
  if (op.mode == ResizeMode::nearest) {
    result.taps = {{nearest(op.nearest, x, length), 1}};
    return result;
  }
  const int kernel_reach = op.mode == ResizeMode::linear ? 1 : 2;
  int64_t reach = int64_t(std::ceil(kernel_reach / narrow));
  // A scale that is not what the sizes give may lead far away, where all taps are the edge.
  const int64_t before = -length - 2 * reach, after = 2 * (length + reach);
  x = x < Number(before) ? Number(before) : Number(after) < x ? Number(after) : x;
  int64_t below = last_that(before, after, [&](int64_t at) { return Number(at) <= x; });
  double sum = 0;
  for (int64_t at = below - reach + 1; at <= below + reach; ++at) {
    double distance = std::abs(double(x - Number(at))) * narrow;
    double weight =
        kernel_reach == 1 ? std::max(0.0, 1 - distance) : cubic(op.cubic_coeff_a, distance);
    const bool excluded = op.exclude_outside && (at < 0 || at >= length);
    if (narrow < 1 && (excluded || distance >= kernel_reach))
      continue;
    if (excluded)
      weight = 0;
    sum += weight;
    result.taps.push_back({std::clamp<int64_t>(at, 0, length - 1), weight});
  }
  if ((op.exclude_outside || narrow < 1) && sum != 0)
    for (Tap &tap : result.taps)
      tap.weight /= sum;
  return result;
}

/// Fractions where scale and region are made of the lengths. Elsewhere mode nearest is defined in
/// single precision.
Position position(const Resize2d &op, size_t axis, int64_t length, int64_t x_resized) {
  int64_t resized = op.sizes[axis];
  bool single_precision = op.mode == ResizeMode::nearest;
  if (op.coordinates == Coordinates::tf_crop_and_resize &&
      (op.roi[2 + axis] != 0 || op.roi[6 + axis] != 1 || resized == 1)) {
    long double x = cropped(op.roi[2 + axis], op.roi[6 + axis], length, resized, x_resized);
    return single_precision ? position(op, float(x), length, 1) : position(op, x, length, 1);
  }
  const double given = op.scales.empty() ? double(resized) / double(length) : op.scales[axis];
  const double narrow = op.antialias ? std::min(1.0, given) : 1;
  auto at = [&]<class Number>(Number scale) {
    return position(
        op,
        original<Number>(op.coordinates, Number(x_resized), scale, Number(length), Number(resized)),
        length, narrow);
  };
  if (op.coordinates == Coordinates::align_corners || op.scales.empty() ||
      float(op.scales[axis]) == float(resized) / float(length))
    return at(Fraction(resized, length));
  return single_precision ? at(float(op.scales[axis])) : at((long double)(op.scales[axis]));
}

std::vector<Position> positions(const Resize2d &op, size_t axis, int64_t length) {
  std::vector<Position> result;
  for (int64_t x = 0; x < op.sizes[axis]; ++x)
    result.push_back(position(op, axis, length, x));
  return result;
}

} // namespace

namespace {

/// Of numbers of 8 bits: elements as they are in mode nearest, else f32. Weights are f32, and each
/// product and each sum is rounded on its own: those of a row first, then those of the rows.
Tensors resized_numbers(const Resize2d &op, const Tensor &input, const TensorType &type) {
  Tensor result(type);
  const std::vector<int64_t> &shape = input.shape();
  const Floats numbers(input);
  const std::vector<Position> rows = positions(op, 0, shape[2]),
                              columns = positions(op, 1, shape[3]);
  with_element(type.dtype, [&]<class T>(T) {
    std::span<T> output = result.mutable_elements<T>();
    for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
      const int64_t plane = (index[0] * shape[1] + index[1]) * shape[2];
      float sum = 0;
      for (const Tap &r : rows[size_t(index[2])].taps) {
        float part = 0;
        for (const Tap &c : columns[size_t(index[3])].taps) {
          const float product = float(c.weight) * numbers[(plane + r.index) * shape[3] + c.index];
          part += product;
        }
        const float product = float(r.weight) * part;
        sum += product;
      }
      output[size_t(position)] = static_cast<T>(sum);
    });
  });
  return {result};
}

} // namespace

Tensors compute(const Resize2d &op, const Operands &operands, const Types &types) {
  if (operands[0]->type().dtype != DType::f32)
    return resized_numbers(op, *operands[0], types[0]);
  Tensor result(types[0]);
  const std::vector<int64_t> &shape = operands[0]->shape();
  std::span<const float> input = operands[0]->floats();
  std::span<float> output = result.mutable_floats();
  const bool crops = op.coordinates == Coordinates::tf_crop_and_resize;
  const std::vector<Position> rows = positions(op, 0, shape[2]),
                              columns = positions(op, 1, shape[3]);
  for_each_index(result.shape(), [&](const std::vector<int64_t> &index, int64_t position) {
    const Position &row = rows[size_t(index[2])], &column = columns[size_t(index[3])];
    if (crops && (row.outside || column.outside)) {
      output[position] = float(op.extrapolation_value);
      return;
    }
    double sum = 0;
    int64_t plane = (index[0] * shape[1] + index[1]) * shape[2];
    for (const Tap &r : row.taps)
      for (const Tap &c : column.taps)
        sum += r.weight * c.weight * double(input[(plane + r.index) * shape[3] + c.index]);
    output[position] = float(sum);
  });
  return {result};
}

/// What each element of the resized planes was made of, backwards.
Tensors compute(const Resize2dGradient &op, const Operands &operands, const Types &types) {
  const std::vector<int64_t> &shape = operands[0]->shape();
  const Resize2d forward = op.forward({shape[2], shape[3]});
  const std::vector<Position> rows = positions(forward, 0, op.input[0]),
                              columns = positions(forward, 1, op.input[1]);
  const bool crops = op.coordinates == Coordinates::tf_crop_and_resize;
  Tensor result(types[0]);
  std::vector<double> sums(size_t(result.count()));
  for_each_index(shape, [&](const std::vector<int64_t> &index, int64_t position) {
    const Position &row = rows[size_t(index[2])], &column = columns[size_t(index[3])];
    if (crops && (row.outside || column.outside))
      return;
    const int64_t plane = (index[0] * shape[1] + index[1]) * op.input[0];
    for (const Tap &r : row.taps)
      for (const Tap &c : column.taps)
        if (r.weight * c.weight != 0)
          sums[size_t((plane + r.index) * op.input[1] + c.index)] +=
              r.weight * c.weight * double(operands[0]->floats()[position]);
  });
  std::ranges::transform(sums, result.mutable_floats().begin(),
                         [](double sum) { return float(sum); });
  return {result};
}

} // namespace cnnc::reference
