// Ops of training spelt with others.
#pragma once

#include "ir/graph/gradients/term.h"

namespace cnnc {

/// What softmax should give for each image and class [n, classes]; a row of a label outside of the
/// classes has only the smoothing.
Term targets_of(const CrossEntropy &op, const Term &logits, const Term &labels);

// The loss, f32[].
Term spelt_out(const CrossEntropy &op, const Term &logits, const Term &labels);
Term spelt_out(const MeanSquaredError &op, const Term &a, const Term &b);
Term spelt_out(const BinaryCrossEntropy &op, const Term &logits, const Term &targets);

/// batch_norm with statistics=batch: its three results.
std::vector<Term> spelt_out(const BatchNorm &op, const std::vector<Term> &operands);

} // namespace cnnc
