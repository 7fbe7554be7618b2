// A whole text: models, and kernels that have already become loops.
#pragma once

#include "ir/graph/graph.h"
#include "ir/loop/loop.h"

namespace cnnc {

struct Module {
  std::vector<Graph> models;
  std::vector<loop::Kernel> kernels;
};

/// Reads models and kernels in any order; reports all errors. Empty when anything was wrong, also
/// when names repeat or a text holds neither; `incomplete` then gets the kernels that could be read,
/// and what could be read of the models, for further checks.
std::optional<Module> parse_module(std::shared_ptr<const Source> source, Diagnostics &diagnostics,
                                   Module *incomplete = nullptr);

/// parse_module(to_string(x)) gives x again.
std::string to_string(const Module &module);

/// Drops the kernels that no model calls.
void erase_unused_kernels(Module &module);

} // namespace cnnc
