// Graphs as pictures, in the language of Graphviz.
#pragma once

#include "ir/module/module.h"

namespace cnnc {

/// Every model, for `dot -Tsvg`. One box per op with its name, its
/// result and type; the ops of a kernel share a colour. Constants are left out.
std::string to_dot(const Module &module);

} // namespace cnnc
