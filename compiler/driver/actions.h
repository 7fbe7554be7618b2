// What the command can do, and which options count for that.
#pragma once

#include "compiler/driver/command_line.h"

namespace cnnc::driver {

/// The option that asks for an action that has one.
std::string_view name_of(Action action);
/// "--run, --time-run and --verify"
std::string names_of(const std::vector<Action> &actions);

/// Whether it runs the model, on .npy files that stand behind it.
bool takes_tensors(Action action);

/// An option that only some actions heed, and these.
struct Effect {
  const char *option;
  std::vector<Action> actions;
};
const std::vector<Effect> &effects();

} // namespace cnnc::driver
