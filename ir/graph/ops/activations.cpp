#include "ir/graph/ops/activations.h"

#include "ir/loop/formulas.h"

namespace cnnc::activation {

using loop::number;

namespace {

/// 1 + exp(-x)
Expression one_plus_exp_minus(const Expression &x) { return number(1) + exp(neg(x)); }

} // namespace

/// max(x, 0) + log(1 + e) for e = exp(-|x|). 1 + e = u is rounded; log(u) * e / (u - 1) makes up
/// for it (Kahan), so that the result keeps its digits where e is small.
Expression softplus(const Expression &x) {
  Expression e = exp(neg(abs(x)));
  Expression u = number(1) + e;
  Expression tail = if_equal(u, number(1), e, log(u) * (e / (u - number(1))));
  return max(number(0), x) + std::move(tail);
}

/// The quotient of infinities would be NaN; -100 stands for all below.
Expression silu(const Expression &x) { return max(number(-100), x) / one_plus_exp_minus(x); }

/// tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2) for e = exp(x), which is 1 in floats from 20 on and
/// e far below 0. There x e stays a normal float longer than e: the exponential is that of x + 32
/// ln 2 (but for the digits that it cannot hold beside x, which the factor has), and x is multiplied
/// by 2^-32. -100 stands for all below.
Expression mish(const Expression &x) {
  constexpr double shift = 32 * 0.693145751953125, rest = 1.00004571646; // e^(32 ln 2 - shift)
  auto if_tail = [&](Expression tail) { return if_less(x, number(-64), std::move(tail), x); };
  Expression e = exp(min(number(20), if_tail(x + number(shift))));
  Expression n = e * (e + number(2));
  return if_tail(max(number(-100), x) * number(0x1p-32 * rest)) * (n / (n + number(2)));
}

/// The product with -inf would be NaN; -20 stands for all below.
Expression gelu(const Expression &x) { return max(number(-20), x) * normcdf(x); }

/// x / 2 (1 + tanh(y)) = x / (1 + e^-2y), which keeps its digits where tanh is near -1. -30 stands
/// for all below.
Expression gelu_tanh(const Expression &x) {
  constexpr double scale = 2 * 0.79788456080286535588; // 2 sqrt(2 / pi)
  Expression y = max(number(-30), x);
  Expression inner = y * fma(y * y, number(scale * 0.044715), number(scale));
  return y / one_plus_exp_minus(inner);
}

/// A quotient above 0, which only a negative alpha gives, may be large: from 1 on the difference as
/// it stands there.
Expression celu_curve(const Expression &x, double alpha) {
  return alpha > 0 ? expm1(x) : if_less(x, number(1), expm1(x), exp(x) - number(1));
}

} // namespace cnnc::activation
