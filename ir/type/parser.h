// Types in the text.
#pragma once

#include "ir/text/lexer.h"
#include "ir/type/type.h"

namespace cnnc {

/// Reads a type: f32[1, 3, 224, 224] nchw16c halo=[1, 1, 1, 1].
std::optional<TensorType> parse_type(TokenCursor &cursor);

} // namespace cnnc
