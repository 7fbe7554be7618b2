// One model compiled for several CPUs in one library: which of them runs is decided on each machine.
#pragma once

#include "compiler/codegen/model_table.h"
#include "compiler/codegen/object.h"

#include <span>

namespace cnnc::codegen {

/// The function NAME_model as machine code. It returns the table of that variant which uses most of
/// what the CPU has, and where none can run that which needs least, whose `run` says so. The
/// variants are one model for several targets; the table of each is behind its variant_symbol().
std::optional<ObjectCode> compile_model_dispatch(std::span<const ModelDescription> variants,
                                                 Diagnostics &diagnostics);

/// What the NAME_model of a variant is called inside of the library.
std::string variant_symbol(std::string_view model, size_t index);

/// The model as its callers see it, whichever variant runs: the largest of all workspaces, and the
/// names of all CPUs.
ModelDescription merge_variants(std::span<const ModelDescription> variants);

} // namespace cnnc::codegen
