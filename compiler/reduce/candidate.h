// A model on its way to a smaller one.
#pragma once

#include "ir/module/module.h"

namespace cnnc {

struct Candidate {
  std::string text;
  Module module; // one model, and the kernels that it calls, as the text has them
  Graph typed;   // that model with the type of every value; the same ids

  const Graph &graph() const { return module.models.front(); }
};

/// Prints a module and reads it again. Empty when that text is wrong.
std::optional<Candidate> read_candidate(const Module &module);

} // namespace cnnc
