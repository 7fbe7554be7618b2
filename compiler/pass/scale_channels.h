// Values whose channels are multiplied by constants, and the layers that read them, by the reciprocals.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Conv2d, Dense.
bool is_layer(const Op &op);

/// The channel of a layer's input that its filter [o, i, ..] reads at a place.
int64_t input_channel(const Graph &graph, const Node &layer, int64_t o, int64_t i);

/// The layers that read a value, when nothing else does, and all of their filters are constants.
std::vector<NodeId> only_layers(const Graph &graph, ValueId value);

/// Whether constants can take factors greater than 0, so that nothing is computed for them when the
/// model runs: those of a layer, of a product or of a sum, behind ops that hand a factor on.
bool absorbs_factors(const Graph &graph, ValueId value);

/// Multiplies each channel (dimension 1) of a value by a constant greater than 0, f32[channels], and
/// divides the filters of only_layers() by it. Where the value does not absorb factors there is a `mul`
/// behind it. Call sort() and erase_dead_nodes() in the end.
void scale_channels(Graph &graph, ValueId value, ValueId factors);

} // namespace cnnc
