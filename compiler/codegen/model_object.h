// The tables of a model as an object file.
#pragma once

#include "compiler/codegen/model_table.h"
#include "compiler/codegen/object.h"

namespace cnnc::codegen {

/// build_model_table as machine code: the tables and the function NAME_model.
std::optional<ObjectCode> compile_model_table(const ModelDescription &description,
                                              Diagnostics &diagnostics);

/// Bytes of machine code in an object.
uint64_t code_size(const ObjectCode &object);

} // namespace cnnc::codegen
