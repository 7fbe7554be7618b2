// Checks that the infer() functions of several ops share.
#pragma once

#include "ir/graph/ops/infer_context.h"

namespace cnnc {

/// One result of this type.
InferredTypes one_type(TensorType type);

/// One result with this shape and the element type and batch name of `like`. Reports at the op when
/// a dimension or the number of elements is too large.
InferredTypes one_result(InferContext &context, const TensorType &like, std::vector<int64_t> shape);

/// Reports at the op and returns false when a tensor of this shape is too large.
bool require_possible(InferContext &context, const TensorType &type);

/// Reports unless all operands are f32; the second may be a weight of 16 bits.
bool require_f32_products(InferContext &context);

/// Reports unless the operand has exactly this shape. `what` reads "the bias, one number per output
/// channel".
bool require_shape(InferContext &context, size_t index, const std::vector<int64_t> &shape,
                   std::string_view what);

/// Reports when the operand, named `what`, has a symbolic batch.
bool require_static(InferContext &context, size_t index, std::string_view what);

/// Axis counted from 0; reports at the attribute when it is not in [-rank, rank) of operand 0.
std::optional<size_t> require_axis(InferContext &context, std::string_view attribute, int64_t axis);

/// Reports at the attribute when `axis` is a symbolic batch; `action` reads "joined" or "cut".
bool require_not_batch(InferContext &context, std::string_view attribute, size_t axis,
                       std::string_view action);

/// Attributes of an op that slides a window over the last two dimensions of operand 0.
struct WindowAttributes {
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {}; // top, left, bottom, right
  std::array<int64_t, 2> dilation = {1, 1};
  bool ceil_mode = false;
  bool pools = false;        // every window must hold an element of the input
  bool kernel_given = false; // by an attribute, not by the shape of operand 1
};

/// Height and width of the output. Reports strides, pads and dilations out of range, a window
/// larger than the padded input, and for pools a window that lies in the padding.
std::optional<std::array<int64_t, 2>> window_output(InferContext &context,
                                                    const WindowAttributes &attributes);

/// Height and width of the output of a transposed convolution with this window: (input - 1) *
/// stride
/// + dilation * (kernel - 1) + 1 - pads + output_padding. Reports attributes out of range, and pads
/// that leave nothing.
std::optional<std::array<int64_t, 2>>
transposed_window_output(InferContext &context, const WindowAttributes &attributes,
                         const std::array<int64_t, 2> &output_padding);

/// Whether an element of this type can hold the value: an integer type holds whole numbers of its
/// range, f32 no finite number beyond its largest.
bool fits(double value, DType dtype);

/// Whether elements are numbers of 8 bits, u8 or i8.
inline bool holds_bytes(const TensorType &type) {
  return is_integer(type.dtype) && size_of(type.dtype) == 1;
}

} // namespace cnnc
