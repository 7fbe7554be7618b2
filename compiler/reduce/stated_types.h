// Which types a text has to state.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Whether the type of a value follows from the op that computes it. That of an input does not, nor
/// that of a constant, of a call of loops, and the layout that a relayout makes.
inline bool follows(const Graph &graph, const Value &value) {
  if (value.producer == no_id)
    return false;
  const Category category = category_of(graph.nodes[value.producer].op);
  return category != Category::constant && category != Category::internal;
}

} // namespace cnnc
