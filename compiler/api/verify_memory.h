// How much memory verify() takes, before it takes it.
#pragma once

#include "compiler/api/session.h"
#include "compiler/program/program.h"

namespace cnnc {

/// Reports the first value with which verify() would hold more than Session::max_memory() bytes:
/// while the reference interprets the model as it was `written`, or while the compiled kernels run
/// and the reference follows them. `before` is the graph just before lowering, `layout` what was
/// compiled of the session's text.
bool check_verify_memory(Session &session, const Graph &written, const Graph &before,
                         const ProgramLayout &layout);

} // namespace cnnc
