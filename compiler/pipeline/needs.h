// What a pass, or what comes after the passes, takes for granted of a model. A list of passes is free
// (`--passes`), and so is the state of the text that it starts from: hence the model is looked at,
// not the list.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/module/module.h"

namespace cnnc {

struct Need {
  std::string_view pass; // that sees to it
  /// Reports what a model lacks for the pass or step `before`, naming the pass that is missing.
  bool (*check)(const Graph &, PassContext &, std::string_view before);
};

/// Every value has a type.
extern const Need needs_types;
/// Types, and constants that are filled up as the kernels with blocked channels read them.
extern const Need needs_packed_weights;

/// Whether all models have what is needed; true when nothing is.
bool check_need(const Need *need, std::string_view before, const Module &module,
                PassContext &context);

} // namespace cnnc
