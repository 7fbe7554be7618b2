// The cost of an op, by formula: MACs (multiply-accumulates) and learned parameters.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// MACs of one run of a node whose values have types, as the literature counts them:
/// those of conv2d, conv_transpose2d, local2d, dense and matmul, with the taps that lie in padding;
/// all other ops count as none. A symbolic batch counts as one image. Saturates at 2^62.
int64_t multiplications(const Graph &graph, const Node &node);

/// The operands of a node that hold learned numbers: filters, weights, biases, slopes, the scale
/// and bias of normalizations (not the running mean and variance of batch_norm), and constants of
/// other binary ops and of matmul, but for single numbers of the text in arithmetic. They are
/// constants, or inputs in whose memory an output lies: the weights of a step of training. What is
/// computed from the model's inputs is not learned.
std::vector<ValueId> parameter_operands(const Graph &graph, const Node &node);

/// Number of elements of those operands. Saturates at 2^62.
int64_t parameters(const Graph &graph, const std::vector<ValueId> &operands);

} // namespace cnnc
