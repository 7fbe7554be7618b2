// Gradients of pools. A max pool keeps which element of each window was the maximum, the first of
// equal ones, and its gradient goes there.
#include "ir/graph/gradients/backward.h"
#include "ir/graph/gradients/transposed.h"

#include <algorithm>

namespace cnnc {

namespace {

template <class Pool> MaxPool2dGradient gradient_of(const Pool &pool, const Term &x) {
  MaxPool2dGradient result;
  result.sizes = {x.dim(2), x.dim(3)};
  result.kernel = pool.kernel;
  result.stride = pool.stride;
  result.pad = pool.pad;
  result.dilation = pool.dilation;
  return result;
}

Term flat(const Term &x) { return reshape(x, {element_count(x.shape()).value_or(0)}); }

/// Of whole numbers below 2^24, exactly: the quotient is rounded by less than it lacks of the next
/// whole number.
Term whole_part(const Term &x, int64_t divisor) {
  return as_number(apply(Cast{CastType::i64}, {x / static_cast<double>(divisor)}));
}

/// Indices that count planes of h x w column by column as such that count them row by row.
Term row_by_row(const Term &indices, int64_t h, int64_t w) {
  const auto plane = static_cast<double>(h * w);
  const Term index = as_number(indices), before = whole_part(index, h * w) * plane;
  const Term inside = index - before, column = whole_part(inside, h);
  const Term row = inside - column * static_cast<double>(h);
  return apply(Cast{CastType::i64}, {before + row * static_cast<double>(w) + column});
}

/// How many elements each window of one dimension counts.
std::vector<double> counts(const AvgPool2d &pool, size_t i, int64_t input, int64_t output) {
  const int64_t first = pool.count_padding ? -pool.pad[i] : 0;
  const int64_t end = pool.count_padding ? input + pool.pad[2 + i] : input;
  std::vector<double> result;
  for (int64_t o = 0; o < output; ++o) {
    const int64_t begin = o * pool.stride[i] - pool.pad[i];
    result.push_back(
        static_cast<double>(std::min(begin + pool.kernel[i], end) - std::max(begin, first)));
  }
  return result;
}

/// 1 / count, as a number where all windows count as many.
Term inverse_counts(const AvgPool2d &pool, const Term &x, const Term &y, size_t i) {
  std::vector<double> all = counts(pool, i, x.dim(2 + i), y.dim(2 + i));
  std::ranges::transform(all, all.begin(), [](double count) { return 1 / count; });
  if (std::ranges::all_of(all, [&](double inverse) { return inverse == all.front(); }))
    return all.front();
  const auto size = static_cast<int64_t>(all.size());
  return constant(x, std::move(all),
                  i == 0 ? std::vector<int64_t>{size, 1} : std::vector<int64_t>{size});
}

} // namespace

void MaxPool2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  if (kernel[0] * kernel[1] > 256)
    return backward.no_rule("its windows have more than 256 elements");
  MaxPool2dIndices op;
  op.kernel = kernel;
  op.stride = stride;
  op.pad = pad;
  op.dilation = dilation;
  op.ceil_mode = ceil_mode;
  op.positions = PoolPositions::window;
  const Term dy = backward.gradient();
  const std::vector<Term> results = apply_all(op, {x});
  backward.replace_result(0, results[0]);
  backward.name(results[1], "positions");
  backward.give(0, apply(gradient_of(*this, x), {dy, results[1]}));
}

void MaxPool2dIndices::differentiate(Backward &backward) const {
  if (!backward.has_gradient(0))
    return;
  const Term x = backward.operand(0), at = backward.result(1), dy = backward.gradient(0);
  if (positions == PoolPositions::window)
    return backward.give(0, apply(gradient_of(*this, x), {dy, at}));
  const int64_t count = element_count(x.shape()).value_or(0);
  const Term places = column_major ? row_by_row(at, x.dim(2), x.dim(3)) : at;
  backward.give(0, reshape(apply(ScatterAdd{0, count}, {flat(dy), flat(places)}), x.shape()));
}

void MaxUnpool2d::differentiate(Backward &backward) const {
  backward.give(0, apply(Gather{0}, {flat(backward.gradient()), backward.operand(1)}));
}

/// Linear in the gradient: each element comes from its position in the window again.
void MaxPool2dGradient::differentiate(Backward &backward) const {
  const Term given = backward.operand(0), at = as_number(backward.operand(1));
  if (!backward.wants(0))
    return;
  // Windows that ceil_mode lets overhang see zeros behind the padding, too.
  Pad border{{0, 0, pad[0], pad[1]}, {0, 0, 0, 0}, PadMode::constant, 0};
  for (size_t i = 0; i < 2; ++i)
    border.after[2 + i] =
        std::max<int64_t>(0, (given.dim(2 + i) - 1) * stride[i] + (kernel[i] - 1) * dilation[i] +
                                 1 - pad[i] - sizes[i]);
  const Term padded = apply(border, {backward.gradient()});
  Term result = 0;
  for (int64_t row = 0; row < kernel[0]; ++row)
    for (int64_t column = 0; column < kernel[1]; ++column) {
      Slice tap{{row * dilation[0], column * dilation[1]}, {}, {2, 3}, {stride[0], stride[1]}};
      for (size_t i = 0; i < 2; ++i)
        tap.ends.push_back(tap.starts[i] + (given.dim(2 + i) - 1) * stride[i] + 1);
      const auto position = static_cast<double>(row * kernel[1] + column);
      const Term here = is_equal(at, position);
      result = result + where(here, apply(tap, {padded}), 0);
    }
  backward.give(0, result);
}

/// Each window shares what it gets among the elements that it counts: a depthwise convolution of
/// ones, transposed.
void AvgPool2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), y = backward.result();
  const Term by_row = backward.gradient() * inverse_counts(*this, x, y, 0);
  const Term shared = by_row * inverse_counts(*this, x, y, 1);
  const SlidingWindow window{kernel, stride, pad, {1, 1}, x.dim(1)};
  const Term ones = filled(x, 1, {x.dim(1), 1, kernel[0], kernel[1]});
  backward.give(0, scattered_to_windows(shared, ones, window, x.shape()));
}

void GlobalAvgPool2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  backward.give(0, backward.gradient() * (1 / static_cast<double>(x.dim(2) * x.dim(3))));
}

} // namespace cnnc
