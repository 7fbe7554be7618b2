// Graphs as pictures.
#pragma once

#include "ir/module/module.h"

namespace cnnc {

/// Every model in the language of Graphviz, `dot -Tsvg` draws it. One box per op with its name, its
/// result and type; the ops of a kernel share a colour. Constants are left out.
std::string to_dot(const Module &module);

} // namespace cnnc
