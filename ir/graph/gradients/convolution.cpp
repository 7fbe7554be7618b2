// Gradients of convolutions and of the fully connected layer. Convolutions are linear in the input
// and in the filter: the gradient of each is the transposed map, applied to the gradient of the
// result.
#include "ir/graph/gradients/backward.h"
#include "ir/graph/gradients/transposed.h"

namespace cnnc {

namespace {

template <class Op> SlidingWindow window_of(const Op &op, const Term &filter) {
  const size_t rank = filter.rank();
  return {{filter.dim(rank - 2), filter.dim(rank - 1)}, op.stride, op.pad, op.dilation};
}

template <class Op> Conv2dFilterGradient filter_gradient(const Op &op, const Term &filter) {
  Conv2dFilterGradient result;
  result.kernel = {filter.dim(2), filter.dim(3)};
  result.stride = op.stride;
  result.pad = op.pad;
  result.dilation = op.dilation;
  result.groups = op.groups;
  return result;
}

/// The first rows and columns.
Term cropped(const Term &x, int64_t height, int64_t width) {
  if (x.dim(2) == height && x.dim(3) == width)
    return x;
  return apply(Slice{{0, 0}, {height, width}, {2, 3}, {}}, {x});
}

Term sum_per_channel(const Term &x) { return apply(ReduceSum{{0, 2, 3}, false}, {x}); }

} // namespace

void Conv2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), filter = backward.operand(1), dy = backward.gradient();
  if (backward.wants(0)) {
    SlidingWindow window = window_of(*this, filter);
    window.groups = groups;
    backward.give(0, scattered_to_windows(dy, filter, window, x.shape()));
  }
  if (backward.wants(1))
    backward.give(1, apply(filter_gradient(*this, filter), {x, dy}));
  if (backward.wants(2))
    backward.give(2, sum_per_channel(dy));
}

/// The other way round: what was scattered is gathered.
void ConvTranspose2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), filter = backward.operand(1), dy = backward.gradient();
  if (backward.wants(0)) {
    Conv2d op;
    op.stride = stride;
    op.pad = pad;
    op.dilation = dilation;
    op.groups = groups;
    backward.give(0, cropped(apply(op, {dy, filter}), x.dim(2), x.dim(3)));
  }
  if (backward.wants(1))
    backward.give(1, apply(filter_gradient(*this, filter), {dy, x}));
  if (backward.wants(2))
    backward.give(2, sum_per_channel(dy));
}

void Conv2dFilterGradient::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), gradient = backward.operand(1), dy = backward.gradient();
  if (backward.wants(0)) {
    SlidingWindow window{kernel, stride, pad, dilation, groups};
    backward.give(0, scattered_to_windows(gradient, dy, window, x.shape()));
  }
  if (backward.wants(1)) {
    Conv2d op;
    op.stride = stride;
    op.pad = pad;
    op.dilation = dilation;
    op.groups = groups;
    backward.give(1, cropped(apply(op, {x, dy}), gradient.dim(2), gradient.dim(3)));
  }
}

/// A product of matrices at each position: of the elements that its window reads, which a
/// convolution with filters of a single 1 puts side by side, and its own filter.
void Local2d::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), filter = backward.operand(1), dy = backward.gradient();
  const int64_t ic = x.dim(1), oh = dy.dim(2), ow = dy.dim(3), oc = dy.dim(1);
  SlidingWindow window = window_of(*this, filter);
  window.groups = ic;
  const int64_t taps = window.kernel[0] * window.kernel[1];
  std::vector<double> ones(static_cast<size_t>(taps * taps), 0);
  for (int64_t i = 0; i < taps; ++i)
    ones[static_cast<size_t>(i * taps + i)] = 1;
  const Term one_of_each = reshape(expand(constant(x, ones, {1, taps, taps}), {ic, taps, taps}),
                                   {ic * taps, 1, window.kernel[0], window.kernel[1]});
  if (backward.wants(1)) {
    Conv2d op;
    op.stride = stride;
    op.pad = pad;
    op.dilation = dilation;
    op.groups = ic;
    const Term patches = transpose(apply(op, {x, one_of_each}), {2, 3, 0, 1});
    const Term product = apply(Matmul{}, {transpose(dy, {2, 3, 1, 0}), patches});
    backward.give(1, reshape(product, filter.shape()));
  }
  if (backward.wants(0)) {
    const Term matrices = reshape(filter, {oh, ow, oc, ic * taps});
    const Term patches = apply(Matmul{}, {transpose(dy, {2, 3, 0, 1}), matrices});
    backward.give(
        0, scattered_to_windows(transpose(patches, {2, 3, 0, 1}), one_of_each, window, x.shape()));
  }
  if (backward.wants(2))
    backward.give(2, apply(ReduceSum{{0}, false}, {dy}));
}

void Dense::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), weight = backward.operand(1), dy = backward.gradient();
  if (backward.wants(0))
    backward.give(0, apply(Matmul{}, {dy, weight}));
  if (backward.wants(1))
    backward.give(1, apply(Matmul{}, {transpose(dy, {1, 0}), x}));
  if (backward.wants(2))
    backward.give(2, apply(ReduceSum{{0}, false}, {dy}));
}

} // namespace cnnc
