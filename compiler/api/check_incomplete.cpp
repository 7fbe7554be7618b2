#include "compiler/api/check_incomplete.h"

#include "compiler/graph_passes/infer_shapes.h"

namespace cnnc {

std::vector<bool> check_incomplete(Graph &graph, Diagnostics &diagnostics) {
  std::vector<bool> wrong(graph.values.size(), true);
  if (graph.inputs.empty() || graph.nodes.empty())
    return wrong;
  if (graph.outputs.empty())
    graph.outputs.push_back(graph.nodes.back().results.front());
  infer_shapes(graph, diagnostics, wrong);
  return wrong;
}

} // namespace cnnc
