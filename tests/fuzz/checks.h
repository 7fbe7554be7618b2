// What must hold of every input, whatever is in it.
#pragma once

#include "compiler/cnnc.h"

namespace cnnc::fuzz {

/// Small enough that passes take milliseconds: limits on memory and time have tests of their own.
bool is_small(const Model &model);

/// Runs the passes over the graph and the loops of a model. Ends the program when a message calls
/// itself an internal error, or when a printed text does not parse, or prints differently.
void check_passes(const Model &model);

} // namespace cnnc::fuzz
