#include "ir/graph/gradients/spelt_out.h"

#include "ir/graph/gradients/backward.h"

namespace cnnc {

namespace {

double count_of(const Term &x) { return static_cast<double>(element_count(x.shape()).value_or(1)); }

Term total(const Term &x) { return reshape(sum(x, range(0, x.rank())), {}); }

} // namespace

Term targets_of(const CrossEntropy &op, const Term &logits, const Term &labels) {
  const int64_t classes = logits.dim(1);
  std::vector<double> numbers;
  for (int64_t i = 0; i < classes; ++i)
    numbers.push_back(static_cast<double>(i));
  const Term label = as_number(reshape(labels, {labels.dim(0), 1}));
  const Term chosen = is_equal(label, constant(logits, std::move(numbers), {classes}));
  const double everywhere = op.label_smoothing / static_cast<double>(classes);
  return where(chosen, 1 - op.label_smoothing + everywhere, everywhere);
}

Term spelt_out(const CrossEntropy &op, const Term &logits, const Term &labels) {
  const Term logs = apply(LogSoftmax{1}, {logits}), targets = targets_of(op, logits, labels);
  return total(logs * targets) * (-1 / static_cast<double>(logits.dim(0)));
}

Term spelt_out(const MeanSquaredError &, const Term &a, const Term &b) {
  const Term difference = a - b;
  return total(difference * difference) * (1 / count_of(a));
}

/// softplus(x) - t * x = -t * log(s) - (1 - t) * log(1 - s).
Term spelt_out(const BinaryCrossEntropy &, const Term &logits, const Term &targets) {
  const Term ones = apply(unary::softplus, logits), chosen = targets * logits;
  return total(ones - chosen) * (1 / count_of(logits));
}

void CrossEntropy::differentiate(Backward &backward) const {
  const Term logits = backward.operand(0), t = targets_of(*this, logits, backward.operand(1));
  const Term s = apply(Softmax{1}, {logits});
  backward.give(0, (s * sum(t, {1}) - t) * (1 / static_cast<double>(logits.dim(0))) *
                       backward.gradient());
}

void MeanSquaredError::differentiate(Backward &backward) const {
  const Term a = backward.operand(0), b = backward.operand(1);
  const Term gradient = (a - b) * (2 / count_of(a)) * backward.gradient();
  backward.give(0, gradient);
  if (backward.wants(1))
    backward.give(1, -gradient);
}

void BinaryCrossEntropy::differentiate(Backward &backward) const {
  const Term logits = backward.operand(0), targets = backward.operand(1);
  const Term share = backward.gradient() * (1 / count_of(logits));
  if (backward.wants(0))
    backward.give(0, (sigmoid(logits) - targets) * share);
  if (backward.wants(1))
    backward.give(1, -(logits * share));
}

} // namespace cnnc
