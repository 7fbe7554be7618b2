// Graph to text. parse_graph(to_string(x)) gives x again.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

std::string to_string(const Graph &graph);

/// One kernel as it stands in that: its header, its ops and the closing brace.
std::string to_string(const Graph &graph, KernelId kernel);

/// One statement without its line end: `%c = conv2d %x, %w pad=[1, 1, 1, 1] : f32[1, 8, 6, 6]`.
std::string to_string(const Graph &graph, const Node &node);

} // namespace cnnc
