// Constants have no operands to give a gradient to.
#include "ir/graph/gradients/backward.h"

namespace cnnc {

void Weight::differentiate(Backward &) const {}
void Splat::differentiate(Backward &) const {}
void Literal::differentiate(Backward &) const {}
void Random::differentiate(Backward &) const {}
void RandomUniform::differentiate(Backward &) const {} // the counter is no variable

} // namespace cnnc
