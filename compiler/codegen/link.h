// Linking, with LLD inside this process: compiled objects, the weights and the runtime become one
// file. Needs no compiler, linker or libc on the machine. The same input gives the same bytes.
#pragma once

#include "compiler/codegen/object.h"
#include "ir/text/temporary.h"

#include <filesystem>
#include <span>
#include <string>

namespace cnnc::codegen {

/// What a model consists of; the runtime is added by the linker.
struct LinkInputs {
  Target target;
  std::span<const ObjectCode> objects; ///< kernels and the model table
  /// Objects that are files: that of a WeightsObjectWriter, or variants of the model for several
  /// CPUs as link_relocatable() made them.
  std::vector<std::filesystem::path> files;
  std::string exported_symbol; ///< the only symbol others can see: model_symbol()
  std::string exported_as;     ///< by link_relocatable, under another name; empty: its own
};

// Each makes its file in `scratch` and moves it to the output that this is the folder of.

/// Writes a shared library that needs nothing but libc. Its soname is its file name.
bool link_shared_library(const LinkInputs &inputs, const TemporaryFolder &scratch,
                         Diagnostics &diagnostics);

/// Writes one relocatable object in which every symbol but the exported one is local, so that any
/// number of models can be linked into one program.
bool link_relocatable(const LinkInputs &inputs, const TemporaryFolder &scratch,
                      Diagnostics &diagnostics);

/// Writes a static library that holds the object of link_relocatable.
bool write_archive(const LinkInputs &inputs, const TemporaryFolder &scratch,
                   Diagnostics &diagnostics);

} // namespace cnnc::codegen
