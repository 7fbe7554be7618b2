// Element-wise ops as texts, made from their tables, so that a new row is tested like the others.
#pragma once

#include "ir/graph/op.h"
#include "tests/unit/lowering_cases.h"

namespace cnnc {

/// `NAME OPERAND PARAMETER=..`
std::string unary_text(const UnaryRow &row, const UnaryParameters &parameters,
                       const std::string &operand);

/// The defaults, or with `other` numbers that differ from them and that the op takes.
UnaryParameters parameters_of(const UnaryRow &row, bool other);

/// A random row of f32 with finite results, with its defaults or other parameters.
std::string random_unary(Choices &r, const std::string &operand);
/// The same without ops that jump, for which a rounding error of the operand may decide.
std::string random_continuous_unary(Choices &r, const std::string &operand);

} // namespace cnnc
