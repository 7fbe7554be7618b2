// Values of attributes, wherever they are written.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/text/lexer.h"

namespace cnnc {

/// Reads what stands behind `stride=`: a number, a word, a string, or a list of numbers. Reports and
/// returns empty on error.
std::optional<AttributeValue> parse_attribute_value(TokenCursor &cursor);

} // namespace cnnc
