// Pooling over windows and over whole planes.
#pragma once

#include "ir/graph/ops/attribute.h"
#include "ir/graph/ops/infer_context.h"
#include "ir/graph/ops/op_traits.h"

namespace cnnc {

/// Maximum over windows; padding never wins. Input [n, c, h, w], of f32, u8 or i8.
struct MaxPool2d {
  static constexpr std::string_view name = "max_pool2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "maximum over windows of [n, c, h, w]";
  static constexpr OpTraits traits = {.category = Category::pool};
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  std::array<int64_t, 2> dilation = {1, 1};
  bool ceil_mode = false;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &MaxPool2d::kernel, true},
                      Attribute{"stride", &MaxPool2d::stride}, Attribute{"pad", &MaxPool2d::pad},
                      Attribute{"dilation", &MaxPool2d::dilation},
                      Attribute{"ceil_mode", &MaxPool2d::ceil_mode}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// What max_pool2d_indices counts.
enum class PoolPositions { input, window };
template <> struct Words<PoolPositions> {
  static constexpr std::array<std::string_view, 2> words = {"input", "window"};
};

/// max_pool2d with a second result: where the maximum stands, the first one of several. With
/// positions=input, i64: where in the input, its elements counted as they lie (all images and
/// channels together), and the first element of the plane when nothing in the window is above -inf.
/// With column_major the positions within a plane are counted column by column. Indices are exact up
/// to 2^24, hence the input has no more elements. With positions=window, u8: which element of the
/// window, row by row (kh * width + kw), as max_pool2d_gradient wants it; windows then have 256
/// elements at most. It is 0 when nothing is above -inf, even where the first element is padding,
/// whose gradient nobody gets.
struct MaxPool2dIndices {
  static constexpr std::string_view name = "max_pool2d_indices";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary =
      "maximum over windows, and where in the whole input (i64) or in the window (u8) it stands";
  static constexpr OpTraits traits = {.category = Category::max_position};
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  std::array<int64_t, 2> dilation = {1, 1};
  bool ceil_mode = false;
  bool column_major = false;
  PoolPositions positions = PoolPositions::input;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &MaxPool2dIndices::kernel, true},
                      Attribute{"stride", &MaxPool2dIndices::stride},
                      Attribute{"pad", &MaxPool2dIndices::pad},
                      Attribute{"dilation", &MaxPool2dIndices::dilation},
                      Attribute{"ceil_mode", &MaxPool2dIndices::ceil_mode},
                      Attribute{"column_major", &MaxPool2dIndices::column_major},
                      Attribute{"positions", &MaxPool2dIndices::positions}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;

private:
  InferredTypes infer_window_positions(InferContext &, InferredTypes) const;
};

/// Puts the elements of the input where `indices` (i64, of the input's shape) say, as
/// max_pool2d_indices counts in a tensor of this shape, and zeros elsewhere. Of elements that go to
/// the same place the last one stays; negative indices count from the end, what is then outside
/// goes to the nearest end.
struct MaxUnpool2d {
  static constexpr std::string_view name = "max_unpool2d";
  static constexpr std::string_view operands = "input, indices";
  static constexpr std::string_view summary =
      "puts elements where the indices of max_pool2d_indices say, zeros elsewhere";
  static constexpr OpTraits traits = {.category = Category::max_position};
  std::vector<int64_t> shape;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"shape", &MaxUnpool2d::shape, true}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Mean over windows. With count_padding the divisor is the window's size including explicit
/// padding (not what ceil_mode adds beyond it), else the number of input elements in the window.
struct AvgPool2d {
  static constexpr std::string_view name = "avg_pool2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "mean over windows of [n, c, h, w]";
  static constexpr OpTraits traits = {.category = Category::pool};
  std::array<int64_t, 2> kernel = {};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 4> pad = {};
  bool ceil_mode = false;
  bool count_padding = false;
  static constexpr auto attributes() {
    return std::tuple{Attribute{"kernel", &AvgPool2d::kernel, true},
                      Attribute{"stride", &AvgPool2d::stride}, Attribute{"pad", &AvgPool2d::pad},
                      Attribute{"ceil_mode", &AvgPool2d::ceil_mode},
                      Attribute{"count_padding", &AvgPool2d::count_padding}};
  }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

/// Mean over each plane: [n, c, h, w] to [n, c, 1, 1].
struct GlobalAvgPool2d {
  static constexpr std::string_view name = "global_avg_pool2d";
  static constexpr std::string_view operands = "input";
  static constexpr std::string_view summary = "mean over each plane: [n, c, h, w] to [n, c, 1, 1]";
  static constexpr OpTraits traits = {.category = Category::pool};
  static constexpr auto attributes() { return std::tuple<>{}; }
  InferredTypes infer(InferContext &) const;
  void differentiate(Backward &) const;
};

} // namespace cnnc
