// Gradients of normalisations.
#include "ir/graph/gradients/backward.h"
#include "ir/graph/gradients/spelt_out.h"

namespace cnnc {

namespace {

/// A vector of channels against [n, c, ...].
Term per_channel(const Term &vector, size_t rank) {
  std::vector<int64_t> shape(rank, 1);
  shape[1] = vector.dim(0);
  return reshape(vector, shape);
}

/// (x - mean) / sqrt(variance + epsilon) over some axes, and its gradient (Ioffe and Szegedy 2015,
/// section 3).
struct Normalized {
  Term centred, inverse, value; // x - mean, 1 / sqrt(variance + epsilon), their product x'
  std::vector<int64_t> axes;

  Normalized(const Term &x, std::vector<int64_t> over, double epsilon)
      : centred(x - mean(x, over)), inverse(0), value(0), axes(std::move(over)) {
    inverse = 1 / sqrt(mean(centred * centred, axes) + epsilon);
    value = centred * inverse;
  }
  Term gradient(const Term &dy) const {
    const Term across = dy - mean(dy, axes), along = value * mean(dy * value, axes);
    return inverse * (across - along);
  }
  /// The same where scale and bias are numbers of the channels over which the statistics are: their
  /// gradients are the sums that that of x needs. x' itself is not computed: its factor, a number
  /// of the channel, is taken out of the sum.
  void give_of_channels(Backward &backward, const Term &dy) const {
    const Term biases = sum(dy, axes), scales = sum(dy * centred, axes) * inverse;
    const double share =
        static_cast<double>(dy.dim(1)) / static_cast<double>(element_count(dy.shape()).value_or(1));
    backward.give(1, reshape(scales, {dy.dim(1)}));
    backward.give(2, reshape(biases, {dy.dim(1)}));
    if (!backward.wants(0))
      return;
    const Term factor = inverse * per_channel(backward.operand(1), dy.rank());
    const Term across = dy - biases * share, along = centred * (inverse * scales * share);
    backward.give(0, factor * (across - along));
  }
};

/// Gives gradients to scale and bias, which broadcast to x, if there are any, and returns that of
/// the normalised x.
Term through_scale(Backward &backward, const Normalized &normalized, const Term &dy) {
  if (backward.wants(1))
    backward.give_summed(1, dy * normalized.value);
  if (backward.wants(2))
    backward.give_summed(2, dy);
  return backward.operand_count() > 1 ? dy * backward.operand(1) : dy;
}

/// The same for a scale and a bias of channels, where x may have been cut into groups.
Term through_channels(Backward &backward, const Term &normalized, const Term &dy) {
  const size_t rank = dy.rank();
  auto of_channels = [&](const Term &x) {
    return reshape(sum_to(x, per_channel(backward.operand(1), rank).shape()), {dy.dim(1)});
  };
  if (backward.wants(1))
    backward.give(1, of_channels(dy * normalized));
  if (backward.wants(2))
    backward.give(2, of_channels(dy));
  return backward.operand_count() > 1 ? dy * per_channel(backward.operand(1), rank) : dy;
}

} // namespace

/// With the statistics given: linear in x, scale and bias. Running statistics that are computed are
/// no part of it.
void BatchNorm::differentiate(Backward &backward) const {
  if (!backward.has_gradient(0))
    return;
  const Term x = backward.operand(0), dy = backward.gradient();
  const size_t rank = x.rank();
  if (statistics == Statistics::batch) {
    std::vector<int64_t> axes = range(1, rank);
    axes.front() = 0;
    const Normalized normalized(x, std::move(axes), epsilon);
    return normalized.give_of_channels(backward, dy);
  }
  auto channels = [&](size_t i) { return per_channel(backward.operand(i), rank); };
  auto give = [&](size_t i, const Term &gradient) {
    backward.give(i, reshape(sum_to(gradient, channels(i).shape()), {x.dim(1)}));
  };
  const Term inverse = 1 / sqrt(channels(4) + epsilon), scale = channels(1);
  const Term dx = dy * (scale * inverse);
  backward.give(0, dx);
  if (backward.wants(1))
    give(1, dy * ((x - channels(3)) * inverse));
  if (backward.wants(2))
    give(2, dy);
  if (backward.wants(3))
    give(3, -dx);
  if (backward.wants(4)) {
    const Term product = dx * (x - channels(3));
    give(4, product * (inverse * inverse * -0.5));
  }
}

std::vector<Term> spelt_out(const BatchNorm &op, const std::vector<Term> &operands) {
  const Term &x = operands[0];
  const int64_t channels = x.dim(1);
  const size_t rank = x.rank();
  const double count =
      static_cast<double>(element_count(x.shape()).value_or(1)) / static_cast<double>(channels);
  std::vector<int64_t> axes = range(1, rank);
  axes.front() = 0;
  const Term average = mean(x, axes), centred = x - average;
  const Term variance = mean(centred * centred, axes);
  const Term scale = per_channel(operands[1], rank), factor = scale / sqrt(variance + op.epsilon);
  const Term scaled = centred * factor, bias = per_channel(operands[2], rank);
  auto moved = [&](const Term &running, const Term &now, double share) {
    const Term kept = running * op.momentum;
    return kept + reshape(now, {channels}) * ((1 - op.momentum) * share);
  };
  return {scaled + bias, moved(operands[3], average, 1),
          moved(operands[4], variance, count / (count - 1))};
}

void Softmax::differentiate(Backward &backward) const {
  const Term y = backward.result(), dy = backward.gradient();
  backward.give(0, y * (dy - sum(dy * y, {axis})));
}

void LogSoftmax::differentiate(Backward &backward) const {
  const Term y = backward.result(), dy = backward.gradient();
  const Term probabilities = exp(y);
  backward.give(0, dy - probabilities * sum(dy, {axis}));
}

void Hardmax::differentiate(Backward &) const {} // piecewise constant

void LayerNorm::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  const size_t first = normalized_axis(axis, x.rank()).value_or(0);
  const Normalized normalized(x, range(first, x.rank()), epsilon);
  const Term inner = through_scale(backward, normalized, backward.gradient());
  if (backward.wants(0))
    backward.give(0, normalized.gradient(inner));
}

void InstanceNorm::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  const Normalized normalized(x, range(2, x.rank()), epsilon);
  const Term inner = through_channels(backward, normalized.value, backward.gradient());
  if (backward.wants(0))
    backward.give(0, normalized.gradient(inner));
}

void GroupNorm::differentiate(Backward &backward) const {
  const Term x = backward.operand(0);
  std::vector<int64_t> in_groups = {x.dim(0), groups,
                                    element_count(x.shape()).value_or(0) / (x.dim(0) * groups)};
  const Normalized normalized(reshape(x, in_groups), {2}, epsilon);
  const Term inner =
      through_channels(backward, reshape(normalized.value, x.shape()), backward.gradient());
  if (backward.wants(0))
    backward.give(0, reshape(normalized.gradient(reshape(inner, in_groups)), x.shape()));
}

namespace {

/// Sums over `size` neighbouring channels, `before` of them in front: a convolution of ones down
/// the channels.
Term sum_of_channels(const Term &x, int64_t size, int64_t before) {
  const int64_t pixels = element_count(x.shape()).value_or(0) / (x.dim(0) * x.dim(1));
  Conv2d op;
  op.pad = {before, 0, size - 1 - before, 0};
  const Term plane = reshape(x, {x.dim(0), 1, x.dim(1), pixels});
  return reshape(apply(op, {plane, filled(x, 1, {1, 1, size, 1})}), x.shape());
}

} // namespace

/// y = x * s^-beta, s = bias + alpha / size * sum of x^2. Every channel is in the sums of those
/// that it is a neighbour of.
void Lrn::differentiate(Backward &backward) const {
  const Term x = backward.operand(0), y = backward.result(), dy = backward.gradient();
  const int64_t before = (size - 1) / 2;
  const double share = alpha / static_cast<double>(size);
  const Term s = sum_of_channels(x * x, size, before) * share + bias;
  const Term others = sum_of_channels(dy * y / s, size, size - 1 - before);
  const Term own = dy * pow(s, -beta);
  backward.give(0, own - x * others * (2 * share * beta));
}

} // namespace cnnc
