// A model in this process; jit() is in cnnc.h.
#pragma once

#include "compiler/api/session.h"
#include "compiler/codegen/jit.h"
#include "compiler/program/write_weights.h"

namespace cnnc {

/// Its constants in one block of memory, and the code that reads them.
struct Program::Content {
  WeightsMemory weights;
  std::unique_ptr<codegen::JitModel> code;
  /// For each output the input in whose memory it lies.
  std::vector<std::optional<uint32_t>> updates;
  uint32_t label_count = 0; // classes that the labels of a training step may be; 0: not known
};

/// The message as an error that has no place in a text.
Error error_of(std::string message);

/// Null after an error has been reported.
std::shared_ptr<const Program::Content>
load_program(Session &session, const CompiledProgram &program, const Constants &constants);

/// Reports when weights and workspace are more memory than there may be.
bool check_program_memory(Session &session, const codegen::ModelDescription &model);

} // namespace cnnc
