// Dead code elimination: removes ops whose results never reach an output of the model. Unused
// inputs stay: they are the interface.
//
//   %a = relu %x                     %a = relu %x : f32[1, 8]
//   %b = tanh %a                =>   return %a
//   %c = add %b, %x
//   return %a

#include "compiler/graph_passes/graph_passes.h"

namespace cnnc {

bool eliminate_dead_values(Graph &graph, PassContext &) {
  std::vector<bool> dead(graph.nodes.size(), true);
  std::vector<ValueId> open = graph.outputs;
  while (!open.empty()) {
    NodeId producer = graph.values[open.back()].producer;
    open.pop_back();
    if (producer == no_id || !dead[producer])
      continue;
    dead[producer] = false;
    const std::vector<ValueId> &operands = graph.nodes[producer].operands;
    open.insert(open.end(), operands.begin(), operands.end());
  }
  graph.erase_nodes(dead);
  return true;
}

} // namespace cnnc
