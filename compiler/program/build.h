// From a session's text to objects in memory: what writing a library, the JIT and verify share.
#pragma once

#include "compiler/api/session.h"
#include "compiler/codegen/jit.h"
#include "compiler/codegen/kernels.h"
#include "compiler/program/write_weights.h"

#include <cstdlib>

namespace cnnc {

/// A compiled model before it is linked or loaded.
struct Build {
  ProgramLayout layout;
  std::vector<codegen::ObjectCode> objects; // the kernels, then the model table
  Constants constants;
  uint64_t code_size = 0;
};

/// After Session::select_model and the passes. Empty after an error has been reported.
std::optional<Build> build_model(Session &session);

/// What the model's constants are computed from; refers to both.
WeightsSource weights_source(Session &session, const Build &build);

/// Kernels whose names are their symbols; they must outlive the result.
std::vector<codegen::NamedKernel> named_kernels(const std::vector<loop::Kernel> &kernels);

/// Machine code of the kernels, which it replaces where their register tiles turn out too large.
std::optional<std::vector<codegen::CompiledObject>>
compile_fitting(Session &session, std::vector<loop::Kernel> &kernels);

/// A model in this process: its constants in one block of memory, and the code that reads them.
struct Program::Content {
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> weights;
  std::unique_ptr<codegen::JitModel> code;
};

/// Null after an error has been reported.
std::shared_ptr<const Program::Content> load_build(Session &session, const Build &build);

} // namespace cnnc
