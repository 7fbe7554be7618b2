// Runs kernels of the loops text, statement by statement, as ir/loop/loop.h defines them: the
// reference for code generation (`--verify` of a loops text), and in tests the oracle for lowering
// and for the loop passes, since whatever a pass does, the kernel computes the same.
#pragma once

#include "ir/loop/loop.h"

#include <map>

namespace cnnc::loop {

/// Elements of buffers by name, in the order of their physical shape; of every element type as
/// doubles.
using Buffers = std::map<std::string, std::vector<double>>;

/// Runs a kernel; what is left in its schedule counts for nothing. `buffers` must hold the inputs
/// and receives the outputs, whose elements are NaN where nothing was stored.
///
/// Arithmetic is in float, or in i32 where loop.h says so, and the kernel is checked on the way: every subscript lies in its
/// dimension, what is read was stored before, inputs are not stored to, no variable is bound twice,
/// iterations of a parallel loop (run backwards) touch nothing that another one stores to, and
/// vector loops hold assignments only, whose lanes store to different elements. False and a message
/// after a violation.
bool run_loops(const Kernel &kernel, Buffers &buffers, std::string &error);

} // namespace cnnc::loop
