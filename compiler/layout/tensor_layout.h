// Layout conversion: logical, row-major tensors to memory in the layout of a type (ir/type/type.h)
// and back.
#pragma once

#include "compiler/tensor/tensor.h"

namespace cnnc {

/// The type of one image of a symbolic batch; other types as they are.
TensorType one_image(TensorType type);

/// Stores a tensor in the layout of `type`, whose shape is the tensor's; halo and padding lanes
/// become zero; filters are transformed if the layout is Winograd's, unless they are already.
/// `memory` has byte_size(type) bytes.
void write_physical(const Tensor &tensor, const TensorType &type, std::span<std::byte> memory);

/// The inverse, which Winograd's transform has not: reads a tensor of static shape from memory, of a
/// transformed filter [oc, ic, 3, 3] the elements [oc, ic, m + 2, m + 2]. Halo and padding lanes are
/// not read.
Tensor read_physical(std::span<const std::byte> memory, const TensorType &type);

} // namespace cnnc
