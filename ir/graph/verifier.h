// Checks what must hold of every graph, between any two passes.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Holds of every graph:
///   - ids are in range; a value is an input or a result of exactly one node, and knows which;
///   - names of values are not empty and unique, those of kernels likewise;
///   - ops have as many operands as the op table says;
///   - operands are defined before their users, hence there are no cycles;
///   - a value knows whether it is constant;
///   - the members of a kernel stand together and there is at least one; with the order of
///     definitions this makes kernels convex: no path leaves a kernel and enters it again;
///   - layouts block dimensions that exist, each at most once, and halos are not negative;
///   - offsets in the workspace are not negative;
///   - types agree with what the ops infer from their operands, up to layout.
///
/// Reports each violation as an internal error after the pass named. With an empty name the graph
/// is as the text has it, so that errors are those of the text; types are then left to
/// infer_shapes. Takes time linear in the size of the graph.
bool verify(const Graph &graph, Diagnostics &diagnostics, std::string_view after_pass = "");

} // namespace cnnc
