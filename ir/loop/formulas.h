// The functions of the loops text as functions of C++, so that formulas read like formulas.
#pragma once

#include "ir/loop/loop.h"

namespace cnnc::loop {

// They keep a NaN of the second operand: a > b ? a : b is b when either is NaN.
inline Expression min(Expression a, Expression b) {
  return call(Function::min, {std::move(a), std::move(b)});
}
inline Expression max(Expression a, Expression b) {
  return call(Function::max, {std::move(a), std::move(b)});
}

inline Expression neg(Expression x) { return call(Function::neg, {std::move(x)}); }
inline Expression abs(Expression x) { return call(Function::abs, {std::move(x)}); }
inline Expression floor(Expression x) { return call(Function::floor, {std::move(x)}); }
inline Expression ceil(Expression x) { return call(Function::ceil, {std::move(x)}); }
inline Expression round(Expression x) { return call(Function::round, {std::move(x)}); }
inline Expression sqrt(Expression x) { return call(Function::sqrt, {std::move(x)}); }
inline Expression exp(Expression x) { return call(Function::exp, {std::move(x)}); }
inline Expression expm1(Expression x) { return call(Function::expm1, {std::move(x)}); }
inline Expression normcdf(Expression x) { return call(Function::normcdf, {std::move(x)}); }
inline Expression sin(Expression x) { return call(Function::sin, {std::move(x)}); }
inline Expression cos(Expression x) { return call(Function::cos, {std::move(x)}); }
inline Expression log(Expression x) { return call(Function::log, {std::move(x)}); }
inline Expression tanh(Expression x) { return call(Function::tanh, {std::move(x)}); }
inline Expression erf(Expression x) { return call(Function::erf, {std::move(x)}); }
inline Expression pow(Expression a, Expression b) {
  return call(Function::pow, {std::move(a), std::move(b)});
}
/// a * b + c, rounded once.
inline Expression fma(Expression a, Expression b, Expression c) {
  return call(Function::fma, {std::move(a), std::move(b), std::move(c)});
}

/// a < b ? then : otherwise
inline Expression if_less(Expression a, Expression b, Expression then, Expression otherwise) {
  return call(Function::select_less,
              {std::move(a), std::move(b), std::move(then), std::move(otherwise)});
}
inline Expression if_negative(Expression x, Expression then, Expression otherwise) {
  return if_less(std::move(x), number(0), std::move(then), std::move(otherwise));
}
/// a == b ? then : otherwise
inline Expression if_equal(Expression a, Expression b, Expression then, Expression otherwise) {
  return call(Function::select_equal,
              {std::move(a), std::move(b), std::move(then), std::move(otherwise)});
}

} // namespace cnnc::loop
