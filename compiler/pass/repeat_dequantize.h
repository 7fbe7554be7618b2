// One dequantize for each of its readers.
#pragma once

#include "ir/graph/graph.h"

namespace cnnc {

/// Every reader of a dequantize gets one of its own, right before it, where it can join the reader's
/// kernel: it reads a byte and takes two instructions, less than a map in f32 in memory. Only outside
/// of kernels.
void repeat_dequantize(Graph &graph);

} // namespace cnnc
