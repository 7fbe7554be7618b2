// Ops that compute nothing, and where values lie because of them: a reshape lies where its operand
// lies, the parts of a split inside of its operand, and the parts of a concat inside of its result.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Bytes from the beginning of `whole` to the part of it that begins at `start` along `axis`; empty
/// when the part is not one range of its bytes. Both have the same dimensions but for `axis`. It is
/// one range when all dimensions before the axis are 1, the layouts are the same, and the part is
/// made of whole blocks (the last part may end where the whole does).
std::optional<int64_t> offset_of_part(const TensorType &whole, const TensorType &part, size_t axis,
                                      int64_t start);

/// True for an op outside of the kernels that only looks at memory: a reshape or flatten of what
/// lies row-major, and a concat, split or slice each of whose parts is one range of bytes.
bool is_view(const Graph &graph, const Node &node);

/// A value lies `offset` bytes behind the beginning of `root`, which lies in no other value.
struct Place {
  ValueId root = no_id;
  int64_t offset = 0;
};

/// The place of each value. A part of a concat view that cannot lie inside of the result keeps a
/// place of its own (see misplaced_part).
std::vector<Place> places_of_values(const Graph &graph);

/// The number of the first operand of a concat view that does not lie inside of its result and has
/// to be copied there: a constant, an input or an output of the model, a view, or a part of another
/// concat. Empty for all other ops.
std::optional<size_t> misplaced_part(const Graph &graph, const std::vector<Place> &places,
                                     const Node &node);

} // namespace cnnc
