// Convolutions by Winograd's method, where its roundings are part of what is asked for.
#pragma once

#include "compiler/reference/compute.h"

namespace cnnc::reference {

/// conv2d with winograd=m and a filter of 16 bits: the elements of the filter's transform are rounded
/// to that type, and what follows is exact but for the rounding of the result.
Tensors winograd(const Conv2d &op, const Operands &operands, const Types &types);

} // namespace cnnc::reference
