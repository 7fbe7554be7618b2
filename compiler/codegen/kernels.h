// Kernels of the loops text to machine code.
#pragma once

#include "compiler/codegen/object.h"
#include "ir/loop/loop.h"

#include <span>

namespace cnnc::codegen {

/// One object per kernel. A kernel's name is the symbol of its function,
/// `void symbol(cnnc_task *task, void *const *buffers)`.
std::optional<std::vector<CompiledObject>>
compile_kernels(std::span<const loop::Kernel *const> kernels, const Target &target,
                Diagnostics &diagnostics, const JobOptions &options = {});

/// The same code as LLVM IR and as assembly, one text after the other.
std::optional<std::string> kernels_to_llvm(std::span<const loop::Kernel> kernels,
                                           const Target &target, Diagnostics &diagnostics);
std::optional<std::string> kernels_to_assembly(std::span<const loop::Kernel> kernels,
                                               const Target &target, Diagnostics &diagnostics);

} // namespace cnnc::codegen
