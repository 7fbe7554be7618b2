#include "compiler/lowering/lowering.h"
namespace cnnc {
bool lower(const MaxPool2dGradient &, Lowering &lowering) { return lowering.error("internal error: stub"); }
bool lower(const ScatterAdd &, Lowering &lowering) { return lowering.error("internal error: stub"); }
bool lower(const Resize2dGradient &, Lowering &lowering) { return lowering.error("internal error: stub"); }
}
