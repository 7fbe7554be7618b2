// Which values assign_layouts stores in blocks of channels, and pools that it rewrites first.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/graph/graph.h"

namespace cnnc {

/// True for element-wise ops whose result is the filter of a convolution and nothing else.
bool computes_filter(const Graph &graph, const std::vector<NodeId> &members);

/// Whether input and result of a convolution with this filter can lie in blocks of `lanes` channels.
bool groups_fill_blocks(const Conv2d &conv, const std::vector<int64_t> &filter, int64_t lanes);

/// Blocks of channels for the results of a kernel (its members in order) whose operands have their
/// layouts, or none.
std::vector<Block> choose_blocks(const Graph &graph, const Machine &machine,
                                 const std::vector<NodeId> &members, const Recorder &recorder);

/// Dilated max pools with padding become a pad with -inf and a pool without: the clipped window of
/// the other pools has no closed form there.
void pad_dilated_pools(Graph &graph);

} // namespace cnnc
