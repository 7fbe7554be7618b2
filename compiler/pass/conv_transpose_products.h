// Transposed convolutions with few output channels: products first, sums later.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Whether a transposed convolution of one group, each of whose phases is a convolution of its own,
/// is worth writing as products: they fill half as many vectors or fewer.
bool fills_vectors_by_products(const Graph &graph, const Node &node, int64_t lanes);

/// Writes it as one convolution with the products of the input and every element of the filter as
/// channels, and each phase as the sum of its own, each moved to where its element reaches.
void write_as_products(Graph &graph, NodeId id);

} // namespace cnnc
