// Ops that move elements and compute nothing.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

struct Concat {
  static constexpr std::string_view name = "concat";
  static constexpr std::string_view operands = "inputs...";
  static constexpr std::string_view summary = "tensors joined along one axis";
  static constexpr OpTraits traits = {
      .category = Category::movement, .view = View::joined, .takes_empty = true};
  int64_t axis = 1;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &Concat::axis, true}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// One result per entry of `sizes`, which must add up to the dimension.
struct Split {
  static constexpr std::string_view name = "split";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "a tensor cut along one axis, one result per size";
  static constexpr OpTraits traits = {
      .category = Category::movement, .view = View::cut, .takes_empty = true};
  int64_t axis = 1;
  std::vector<int64_t> sizes;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"axis", &Split::axis, true},
                      Attribute{"sizes", &Split::sizes, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// NumPy slicing input[start:end:step] per axis: negative starts and ends count from the end, and
/// are then clamped. `axes` empty: the first axes; `steps` empty: 1. Steps may be negative, not
/// zero.
struct Slice {
  static constexpr std::string_view name = "slice";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "input[start:end:step] per axis, as in NumPy";
  static constexpr OpTraits traits = {
      .category = Category::movement, .view = View::cut, .takes_empty = true};
  std::vector<int64_t> starts, ends, axes, steps;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"starts", &Slice::starts, true},
                      Attribute{"ends", &Slice::ends, true}, Attribute{"axes", &Slice::axes},
                      Attribute{"steps", &Slice::steps}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;

  /// Per dimension of an input of this shape: first index, number of elements, step.
  struct Range {
    int64_t start, count, step;
  };
  std::vector<Range> ranges(const std::vector<int64_t> &shape) const;
};

enum class PadMode { constant, reflect, edge, wrap };
template <> struct Words<PadMode> {
  static constexpr std::array<std::string_view, 4> words = {"constant", "reflect", "edge", "wrap"};
};

/// Widens every dimension: `before` and `after` have one entry per dimension (>= 0; use slice to
/// crop). reflect mirrors without repeating the edge element and needs pads smaller than the
/// dimension; wrap goes on at the other end, as often as it takes.
struct Pad {
  static constexpr std::string_view name = "pad";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "a border of a constant, mirrored or repeated elements, or those of the other end";
  static constexpr OpTraits traits = {.category = Category::movement, .takes_empty = true};
  std::vector<int64_t> before, after;
  PadMode mode = PadMode::constant;
  double value = 0;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"before", &Pad::before, true},
                      Attribute{"after", &Pad::after, true}, Attribute{"mode", &Pad::mode},
                      Attribute{"value", &Pad::value}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Same elements in row-major order under a new shape; 0 keeps a dimension, one -1 is computed.
struct Reshape {
  static constexpr std::string_view name = "reshape";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "a new shape; 0 keeps a dimension, one -1 is computed";
  static constexpr OpTraits traits = {
      .category = Category::view, .view = View::whole, .takes_empty = true};
  std::vector<int64_t> shape;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"shape", &Reshape::shape, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Dimensions before `axis` become one, and those from it on another: always two dimensions.
struct Flatten {
  static constexpr std::string_view name = "flatten";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "two dimensions: those before axis, those from it on";
  static constexpr OpTraits traits = {
      .category = Category::view, .view = View::whole, .takes_empty = true};
  int64_t axis = 1;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &Flatten::axis}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// NumPy's take: result[d.., i.., e..] = input[d.., indices[i..], e..], where the dimensions of the
/// indices (i32 or i64) replace dimension `axis` of the input. Negative indices count from the end.
/// Constants of the text outside of [-size, size) are errors; other indices are clamped into it, so
/// that nothing outside of the input is ever read.
struct Gather {
  static constexpr std::string_view name = "gather";
  static constexpr std::string_view operands = "input, indices";
  static constexpr std::string_view summary = "elements along one axis by their indices";
  static constexpr OpTraits traits = {.category = Category::movement, .parameters = {0, 1}};
  int64_t axis = 0;
  static constexpr auto attributes() { return std::tuple{Attribute{"axis", &Gather::axis}}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Dimension i of the result is dimension permutation[i] of the input.
struct Transpose {
  static constexpr std::string_view name = "transpose";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "dimension i of the result is permutation[i] of the input";
  static constexpr OpTraits traits = {.category = Category::movement, .takes_empty = true};
  std::vector<int64_t> permutation;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"permutation", &Transpose::permutation, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Where the channels that become one block of pixels stand: in dcr those of one pixel of the block
/// follow each other (channel = (row * columns + column) * c + result's channel), in crd those of
/// one result's channel (channel = (result's channel * rows + row) * columns + column).
enum class DepthOrder { dcr, crd };
template <> struct Words<DepthOrder> {
  static constexpr std::array<std::string_view, 2> words = {"dcr", "crd"};
};

/// Channels become pixels: [n, c * rows * columns, h, w] to [n, c, h * rows, w * columns], less
/// what `crop` cuts off.
struct DepthToSpace {
  static constexpr std::string_view name = "depth_to_space";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "channels become blocks of pixels: [n, c * rows * columns, h, w] to [n, c, h * rows, w * "
      "columns]";
  static constexpr OpTraits traits = {.category = Category::movement};
  std::array<int64_t, 2> block = {}; // rows, columns
  DepthOrder mode = DepthOrder::dcr;
  std::array<int64_t, 4> crop = {}; // top, left, bottom, right: pixels cut off the result
  static constexpr auto attributes() {
    return std::tuple{Attribute{"block", &DepthToSpace::block, true},
                      Attribute{"mode", &DepthToSpace::mode},
                      Attribute{"crop", &DepthToSpace::crop}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Pixels become channels, in the order of dcr: [n, c, h * rows, w * columns] to [n, rows * columns
/// * c, h, w].
struct SpaceToDepth {
  static constexpr std::string_view name = "space_to_depth";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "blocks of pixels become channels: [n, c, h * rows, w * columns] to [n, rows * columns * c, "
      "h, w]";
  static constexpr OpTraits traits = {.category = Category::movement};
  std::array<int64_t, 2> block = {}; // rows, columns
  static constexpr auto attributes() {
    return std::tuple{Attribute{"block", &SpaceToDepth::block, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Repeated along dimensions of 1 and along new ones in front until it has the shape that it and
/// `shape` broadcast to (NumPy, either way): a 1 in `shape` keeps a dimension.
struct Expand {
  static constexpr std::string_view name = "expand";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "repeated until the shape is that of a broadcast";
  static constexpr OpTraits traits = {.category = Category::movement, .takes_empty = true};
  std::vector<int64_t> shape;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"shape", &Expand::shape, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
