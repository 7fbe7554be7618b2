// Where an op stands in what the user wrote.
#pragma once

#include "ir/text/diagnostics.h"

namespace cnnc {

/// `lenet.ir:14`, or what an ONNX file calls it: `node 'conv1' (Conv)`. Empty for an op that a pass has
/// made of nothing that stands anywhere.
std::string source_place(const SourceRange &range);

} // namespace cnnc
