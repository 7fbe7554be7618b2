// --compare: the outputs of a model against those that another program computed from the same
// inputs.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Reads one .npy file per input and one per output, runs the model, and prints for each output how
/// far it is from the file. An element may differ by tolerance * max(1, largest value of the
/// output)
/// + 5 * tolerance * its own value. When one differs by more, the kernels are verified as well, so
/// that it is clear whether the first wrong one is ours, or the networks are not the same. Returns
/// whether all agree.
Result<bool> compare(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
