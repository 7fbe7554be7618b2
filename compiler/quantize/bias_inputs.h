// A quantised network whose biases are corrected by inputs, so that it is compiled once for all
// corrections.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// For each layer, which the name of its result stands for, the network has an input more, f32 with an
/// element for each channel, behind its own, which is added to the result. These sums are its outputs
/// then. Node ids change.
void add_bias_inputs(Graph &graph, const std::vector<std::string> &layers);

} // namespace cnnc
