// How kernels that visit each element of their result once are tiled: a part of choose_schedule.
#pragma once

#include "ir/text/schedule.h"
#include "ir/type/type.h"

namespace cnnc {

/// Vectors of channels where the result has blocks of them, else along its last dimension.
Schedule schedule_elementwise(const TensorType &result, int64_t lanes);

/// Blocked, whole vectors are weighted. Otherwise every lane reads elements of its own, and one
/// vector of them is enough code.
Schedule schedule_resize(const TensorType &result, int64_t lanes);

} // namespace cnnc
