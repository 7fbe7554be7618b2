// Types of tensors: element type, logical shape, and how the elements lie in memory.
#pragma once

#include "ir/type/dtype.h"

#include <vector>

namespace cnnc {

/// Stands in a shape for a batch size that is chosen at each call. Only dimension 0 may have it.
inline constexpr int64_t symbolic_dim = -1;

/// No dimension may be larger, so that sums of a few dimensions cannot overflow.
inline constexpr int64_t largest_dim = int64_t(1) << 40;

/// Sizes m of Winograd's output tiles F(m x m, 3x3). Larger ones lose too many digits.
inline constexpr int64_t smallest_winograd = 2;
inline constexpr int64_t largest_winograd = 6;

/// `size` consecutive elements of logical dimension `axis` stored together, innermost.
struct Block {
  int64_t axis = 0;
  int64_t size = 1;
  bool operator==(const Block &) const = default;
};

/// Memory layout of a tensor. Without blocks: row-major (NCHW). The physical dimensions are the
/// logical ones in order, each blocked one divided by its block (rounded up; the tail holds zeros
/// or finite values nobody reads), followed by the blocks. `halo` widens the last two dimensions
/// (top, left, bottom, right) by a border of zeros, or of `halo_value`, so that padded convolutions
/// need no edge code.
///
/// `winograd` m > 0 is for filters [oc, ic, 3, 3]: in memory each stands as its (m + 2) x (m + 2)
/// transform G g G^T of Winograd's F(m x m, 3x3), which cannot be read back.
///
/// Spelt as letters for the dimensions, then size and letter per block, outermost first: nchw16c
/// is [n, c/16, h, w, 16], c16c a vector padded to a multiple of 16, oihw4i32o4i [o/32, i/16, h, w,
/// 4, 32, 4]; winograd(4) oihw64i16o is [o/16, i/64, 6, 6, 64, 16].
struct Layout {
  std::vector<Block> blocks;
  std::array<int64_t, 4> halo = {};
  int64_t winograd = 0;
  int64_t halo_value = 0; // what the border holds: the zero point of quantised numbers

  bool plain() const { return blocks.empty() && !has_halo() && winograd == 0; }
  bool has_halo() const { return halo != std::array<int64_t, 4>{}; }
  /// Product of the blocks of an axis, 1 when it is not blocked.
  int64_t block_of(int64_t axis) const;
  bool operator==(const Layout &) const = default;
};

struct TensorType {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::string batch_name; // spelling of a symbolic dimension 0: f32[n, 3, 224, 224]
  Layout layout;

  size_t rank() const { return shape.size(); }
  bool has_symbolic_batch() const { return !shape.empty() && shape[0] == symbolic_dim; }
  bool operator==(const TensorType &) const = default;
};

/// Axis counted from 0; empty when not in [-rank, rank).
std::optional<size_t> normalized_axis(int64_t axis, size_t rank);

/// Has a dimension of 0, hence no elements.
bool is_empty(const TensorType &type);

/// Equal up to layout.
bool same_logical_type(const TensorType &a, const TensorType &b);

/// Product of the shape with a symbolic batch counted as 1; empty on overflow of 2^62.
std::optional<int64_t> element_count(const std::vector<int64_t> &shape);

/// The dimensions as they lie in memory, a symbolic batch counted as 1.
std::vector<int64_t> physical_shape(const TensorType &type);

/// Bytes of one tensor (of one image, with a symbolic batch) in its layout; empty on overflow.
std::optional<int64_t> byte_size(const TensorType &type);

/// f32[1, 64, 56, 56] nchw16c halo=[1, 1, 1, 1]; with a value in the halo "halo=[1, 1, 1, 1]:114"
std::string to_string(const TensorType &type);
std::string to_string(const std::vector<int64_t> &shape, const std::string &batch_name = "n");
std::string to_string(const Layout &layout, size_t rank);

/// "nchw16c" for the rank given; empty when the letters are not a layout of that rank.
std::optional<std::vector<Block>> parse_layout(std::string_view text, size_t rank);

} // namespace cnnc
