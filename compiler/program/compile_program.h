// From a lowered text to machine code: the one way down for libraries, the JIT and `--emit`.
#pragma once

#include "compiler/codegen/object.h"
#include "compiler/program/fit_registers.h"
#include "compiler/program/program.h"

namespace cnnc {

/// A lowered text as code, before it is linked or loaded.
struct CompiledProgram {
  ProgramLayout layout;
  std::vector<codegen::ObjectCode>
      objects; // of layout.kernels, then the table of the model, if any
  std::vector<codegen::CodeNumbers> numbers;   // of layout.kernels
  std::map<std::string, Schedule> tiled_again; // by the names of kernels
  uint64_t code_size = 0;
};

/// Lays out the text, which holds one model at most, and compiles its kernels. Those whose register
/// tile turns out too large are tiled again, in the text, too. Empty after an error has been
/// reported.
std::optional<CompiledProgram> compile_program(Module &lowered, const codegen::Target &target,
                                               const Retiling &retiling, const JobOptions &jobs);

} // namespace cnnc
