// An input for those who have given none: what a report shows needs some picture.
#pragma once

#include "compiler/tensor/tensor.h"

namespace cnnc::report {

/// Of f32 [n, c, h, w] a drawing with edges in all directions, numbers from 0 to 1, each channel
/// with a light of its own; of other f32 tensors random numbers; zeros of other types. The same for
/// every call.
Tensor made_input(const TensorType &type);

} // namespace cnnc::report
