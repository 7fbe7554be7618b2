// Activations whose formula, computed as it stands, would lose digits or overflow: as kernels compute
// them in f32. The errors are measured by tests/unit/activations_test.cpp.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::activation {

using loop::Expression;

/// log(1 + e^x)
Expression softplus(const Expression &x);
/// x / (1 + e^-x)
Expression silu(const Expression &x);
/// x tanh(log(1 + e^x))
Expression mish(const Expression &x);
/// x / 2 (1 + erf(x / sqrt 2)), and the approximation by tanh
Expression gelu(const Expression &x);
Expression gelu_tanh(const Expression &x);
/// e^x - 1 for the quotient x of an operand below 0 by alpha.
Expression celu_curve(const Expression &x, double alpha);

} // namespace cnnc::activation
