#include "compiler/training/set_batch.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

bool set_batch(Graph &graph, int64_t batch, Diagnostics &diagnostics) {
  const bool scheduled =
      !graph.kernels.empty() || std::ranges::any_of(graph.nodes, [](const Node &node) {
        return category_of(node.op) == Category::internal;
      });
  if (scheduled) {
    diagnostics.error(graph.range,
                      "the batch of a model that has kernels cannot be changed any more");
    return false;
  }
  std::optional<int64_t> before;
  for (ValueId id : graph.inputs) {
    TensorType &type = *graph.value(id).type;
    const bool fits = type.rank() > 0 && (!before || *before == type.shape[0]);
    if (!fits) {
      diagnostics.error(
          graph.value(id).range,
          fmt::format("--batch {} changes the first dimension of all inputs, which must "
                      "be the same, but %{} is {}",
                      batch, format_name(graph.value(id).name), to_string(type)));
      return false;
    }
    before = type.shape[0];
    type.shape[0] = batch;
    type.batch_name.clear();
  }
  for (const Node &node : graph.nodes)
    for (ValueId result : node.results)
      if (!graph.is_constant(result))
        graph.value(result).type.reset();
  return true;
}

} // namespace cnnc
