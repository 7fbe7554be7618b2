// Division that rounds up.
#pragma once

#include <cstdint>

namespace cnnc {

/// The smallest integer that is not below a / b, for b > 0.
constexpr int64_t ceil_div(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

} // namespace cnnc
