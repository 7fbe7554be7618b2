// From graph to loops: every `kernel` block of every model becomes a kernel of the loops text and a
// `call`.
#pragma once

#include "compiler/pass/pass_context.h"
#include "ir/module/module.h"

namespace cnnc {

/// Needs layouts and schedules (assign_layouts, choose_schedule). A symbolic batch becomes a batch
/// of one: the runtime runs the whole model once per image. Models that are lowered already stay as
/// they are.
bool lower_loops(Module &module, PassContext &context);

} // namespace cnnc
