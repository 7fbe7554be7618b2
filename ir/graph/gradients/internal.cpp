// Gradients of what passes put into the graph.
#include "ir/graph/gradients/backward.h"

namespace cnnc {

void Relayout::differentiate(Backward &backward) const {
  backward.no_rule("layouts are chosen after differentiate");
}

void Call::differentiate(Backward &backward) const {
  backward.no_rule("a kernel of loops is not differentiated");
}

} // namespace cnnc
