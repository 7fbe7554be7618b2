// --compare-each: every value on the way against what another program computed.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// Compiles the model with the values as outputs whose names CommandLine::reference has a tensor
/// for, runs it, and prints for each, in the order of the text, how far it is from that tensor; then
/// the op of the first that differs by more than --compare allows, and how far its operands are off.
/// Inputs come from the files behind the model, else from there, too. Returns whether all agree.
Result<bool> compare_each(const CommandLine &line, const Model &model);

} // namespace cnnc::driver
