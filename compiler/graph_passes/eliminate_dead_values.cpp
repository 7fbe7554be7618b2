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
  graph.erase_dead_nodes();
  return true;
}

} // namespace cnnc
