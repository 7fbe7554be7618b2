// From lowered text to what code generation links: which code every step runs, on which memory, and
// what lies where among the weights.
#pragma once

#include "compiler/codegen/model_table.h"
#include "compiler/constants/constants.h"
#include "ir/module/module.h"

namespace cnnc {

/// A constant that kernels read, in the layout of its type.
struct WeightsPiece {
  ValueId value = no_id;
  uint64_t offset = 0; // from the first byte of the weights, a multiple of 64
  uint64_t size = 0;   // bytes
};

struct ProgramLayout {
  codegen::ModelDescription description;
  /// The code of the model: kernels that differ in their names alone are here once, under the name
  /// that is their symbol.
  std::vector<loop::Kernel> kernels;
  std::vector<WeightsPiece> weights; // by offset
};

/// Resolves every `call` of the text's model, which lower_loops and plan_memory have been through.
/// Reports calls that don't fit their kernels, and what has not been lowered or planned. Of a text
/// without models, only the kernels are laid out: all, under their own names.
std::optional<ProgramLayout> lay_out_program(const Module &module, const codegen::Target &target,
                                             Diagnostics &diagnostics);

/// The kernel's text without its name: equal for kernels that may share their code.
std::string code_key(const loop::Kernel &kernel);

} // namespace cnnc
